import { readFile } from 'node:fs/promises';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** ts-mls without what the two ciphersuites here do not need, and with two of its faults mended. */
function tsMls(): Plugin {
  const inside = /\/node_modules\/ts-mls\//;
  const insideHpke = /\/node_modules\/(@hpke|mlkem)\//;
  // Imported on demand, for other ciphersuites and where there is no Web Crypto.
  const unneeded = [
    /^@hpke\/(chacha20poly1305|dhkem-x448|ml-kem)$/,
    /^@noble\/(curves|post-quantum)\//,
    /^@noble\/ciphers\/chacha\.js$/,
    /^crypto$/,
  ];
  const leftOut = '\0not-in-this-build';
  const mended: Record<string, [wrong: string, right: string][]> = {
    // RFC 9420 section 12.4.3.1: an unmerged leaf of a parent node must be below it, and be listed by
    // the nodes between the two. ts-mls 1.6.4 asks instead that all nodes above the leaf list the
    // same leaves, and so turns most people away from a group in which some have come and gone.
    'clientState.js': [
      [`!== "leaf" && !dp.includes(toNodeIndex(i))`, `!== "leaf" || !dp.includes(toNodeIndex(i))`],
      [`of dp) {`, `of dp.slice(0, dp.indexOf(toNodeIndex(i)))) {`],
      [
        `!arraysEqual(dpNode.parent.unmergedLeaves, n.parent.unmergedLeaves)`,
        `!dpNode.parent.unmergedLeaves.includes(unmergedLeaf)`,
      ],
    ],
    // RFC 9420 section 7.4: the commit secret follows from the last node of the filtered path, which
    // is not the root where half of the tree is blank. ts-mls 1.6.4 goes on to the root.
    'pathSecrets.js': [
      [
        `const nextSecret = await`,
        `if (tree[nextIndex] === undefined) break;\n        const nextSecret = await`,
      ],
      [`path[rootIndex]`, `path[topOf(tree, nodeIndex)]`],
      [
        `export function pathToPathSecrets`,
        `export function topOf(tree, nodeIndex) {
    const next = findFirstNonBlankAncestor(tree, nodeIndex);
    return next === nodeIndex || tree[next] === undefined ? nodeIndex : topOf(tree, next);
}
export function pathToPathSecrets`,
      ],
    ],
    'processMessages.js': [
      [`import { pathToRoot }`, `import { pathToRoot, topOf }`],
      [`pathSecrets[rootIndex]`, `pathSecrets[topOf(tree, toNodeIndex(secret.nodeIndex))]`],
    ],
  };
  return {
    name: 'ts-mls',
    enforce: 'pre',
    resolveId(source, importer = '') {
      if (!inside.test(importer) && !insideHpke.test(importer)) return null;
      return unneeded.some((one) => one.test(source)) ? leftOut : null;
    },
    onLog(_level, { code, id = '' }) {
      // Examples in comments, which Rollup takes for annotations.
      return code === 'INVALID_ANNOTATION' && insideHpke.test(id) ? false : null;
    },
    async load(id) {
      if (id === leftOut) return 'throw new Error("not in this build")';
      if (!inside.test(id)) return null;
      // Its source maps lead to files that are not in the package.
      let code = (await readFile(id, 'utf8')).replace(/^\/\/# sourceMappingURL=.*/m, '');
      for (const [wrong, right] of mended[id.slice(id.lastIndexOf('/') + 1)] ?? []) {
        if (code.split(wrong).length !== 2) this.error('ts-mls has changed: see vite.config.ts');
        code = code.replace(wrong, right);
      }
      return code;
    },
  };
}

export default defineConfig({
  plugins: [tsMls(), svelte()],
  // Bundled ahead, it would not go through the plugin.
  optimizeDeps: { exclude: ['ts-mls'] },
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
    // `npm run dev` next to a running server, to work on the page with hot reload.
    proxy: {
      '/socket.io': { target: 'http://127.0.0.1:8080', ws: true },
      '/api': { target: 'http://127.0.0.1:8080' },
    },
  },
  test: {
    environment: 'node',
    include: ['tests/**/*.test.ts'],
    maxWorkers: '100%',
    // MLS with X-Wing takes its time where other work goes on beside.
    testTimeout: 20_000,
    server: { deps: { inline: ['ts-mls'] } },
  },
});
