/** The pages about accounts. */
import { page, type PageRoute } from '../api/router.svelte';

export const accountPages: PageRoute[] = [
  page('/sign-in', () => import('./SignIn.svelte'), 'anyone'),
  page('/invitation', () => import('./Invitation.svelte'), 'anyone'),
  page('/first-run', () => import('./FirstRun.svelte')),
  page('/verify-email', () => import('./VerifyEmail.svelte'), 'anyone'),
  page('/reset-password', () => import('./ResetPassword.svelte'), 'anyone'),
  page('/retention', () => import('./Kept.svelte'), 'anyone'),
  page('/account', () => import('./Account.svelte')),
  page('/administration', () => import('./Administration.svelte')),
  page('/administration/accounts', () => import('./Accounts.svelte')),
  page('/administration/groups', () => import('./GroupsOverview.svelte')),
  page('/administration/groups/{group}/emergency', () => import('./BreakGlass.svelte')),
  page('/administration/record', () => import('./AuditRecord.svelte')),
  page('/administration/record/{group}', () => import('./AuditRecord.svelte')),
  page('/administration/retention', () => import('./Retention.svelte')),
];
