import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [svelte()],
  build: {
    // The Python wheel carries these files; the server sends index.html and /assets/….
    outDir: '../server/assets',
    emptyOutDir: true,
    // The content security policy has no place for data: fonts or inline modules.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
  server: {
    // `npx vite` next to a running server, to work on the page with hot reload.
    proxy: { '/socket.io': { target: 'http://127.0.0.1:8080', ws: true } },
  },
  test: { environment: 'node', include: ['tests/**/*.test.ts'] },
});
