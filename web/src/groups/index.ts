/** The pages of groups, for the router. */
import { page, type PageRoute } from '../api/router.svelte';

export const groupPages: PageRoute[] = [
  page('/groups', () => import('./MyGroups.svelte')),
  page('/groups/new', () => import('./NewGroup.svelte')),
  page('/groups/{group}', () => import('./GroupHome.svelte')),
  page('/groups/{group}/documents', () => import('./DocumentsPage.svelte')),
  page('/groups/{group}/documents/{kind}', () => import('./DocumentPage.svelte')),
  page('/groups/{group}/documents/{kind}/edit', () => import('./DocumentEditor.svelte')),
  page('/groups/{group}/members', () => import('./MembersPage.svelte')),
  page('/groups/{group}/schedule', () => import('./SchedulePage.svelte')),
  page('/groups/{group}/signatures', () => import('./SignaturesPage.svelte')),
  page('/groups/{group}/attendance', () => import('./AttendancePage.svelte')),
  page('/groups/{group}/record', () => import('./RecordPage.svelte')),
  page('/groups/{group}/settings', () => import('./SettingsPage.svelte')),
  page('/groups/{group}/sessions/{session}', () => import('./SessionPage.svelte')),
  page('/make-ups/{absence}', () => import('./MakeUpPage.svelte')),
  page('/guest', () => import('./GuestPage.svelte'), 'anyone'),
];
