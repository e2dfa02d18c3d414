/** The text that a facilitator puts on everyone's screen: what is known of it, said and shown. */
import { render } from 'svelte/server';
import { describe, expect, it, vi } from 'vitest';
import { Session } from '../src/session/session.svelte';
import { EMPTY, step, type SessionState } from '../src/session/state';
import { spoken } from '../src/session/spoken';
import ShownText from '../src/ui/shown/ShownText.svelte';
import { fits } from '../src/wire/events';
import type { ShownDocument } from '../src/wire/messages';
import { FORMATS, session } from './session-fakes';
import { person } from './fakes';

function guidelines(change: Partial<ShownDocument> = {}): ShownDocument {
  return {
    kind: 'guidelines',
    title: 'Group guidelines',
    version: 1,
    text: '# Guidelines of us\n\n- **We listen.** One at a time.\n\n<script>alert(1)</script>\n',
    by: 'Fay',
    ...change,
  };
}

const told = (state: SessionState, shown: ShownDocument | null) =>
  step(state, { name: 'shown_text', payload: { shown } }, 0);
const fold = (state: SessionState, folded = true) =>
  step(state, { name: 'fold_shown', payload: { folded } }, 0);

describe('a text on everyone’s screen', () => {
  it('replaces the one before it, and goes', () => {
    const shown = told(session(), guidelines());
    expect(shown.shown?.title).toBe('Group guidelines');
    const other = guidelines({ kind: 'confidentiality', title: 'Confidentiality agreement' });
    expect(told(shown, other).shown?.kind).toBe('confidentiality');
    expect(told(shown, null).shown).toBeNull();
  });

  it('stays folded when it is told again, as after a lost connection', () => {
    const folded = fold(told(session(), guidelines()));
    expect(told(folded, guidelines()).shownFolded).toBe(true);
    const again = step(folded, { name: 'joined', payload: { id: 'id-0', formats: FORMATS } }, 0);
    expect(told(again, guidelines()).shownFolded).toBe(true);
  });

  it('opens when it is another, or comes back after it was taken away', () => {
    const folded = fold(told(session(), guidelines()));
    expect(told(folded, guidelines({ version: 2, text: 'New' })).shownFolded).toBe(false);
    expect(told(told(folded, null), guidelines()).shownFolded).toBe(false);
    expect(fold(folded, false).shownFolded).toBe(false);
  });

  it('is not of the next visit', () => {
    const shown = told(session(), guidelines());
    const another = step(shown, { name: 'joined', payload: { id: 'id-7', formats: FORMATS } }, 0);
    expect(another.shown).toBeNull();
  });

  it('is read out once when it comes and when it goes', () => {
    const said = (before: SessionState, shown: ShownDocument | null) =>
      spoken(before, told(before, shown), { name: 'shown_text', payload: { shown } });
    const shown = told(session(), guidelines());
    expect(said(session(), guidelines())).toEqual(['The facilitator shows the group’s guidelines.']);
    expect(said(shown, guidelines())).toEqual([]);
    expect(said(shown, null)).toEqual([
      'The facilitator has taken the group’s guidelines off the screen.',
    ]);
    expect(said(EMPTY, null)).toEqual([]);
  });

  it('is left aside where it is not whole', () => {
    expect(fits('shown_text', { shown: null })).toBe(true);
    expect(fits('shown_text', { shown: guidelines() })).toBe(true);
    expect(fits('shown_text', {})).toBe(false);
    expect(fits('shown_text', { shown: { ...guidelines(), text: null } })).toBe(false);
  });
});

function panel(role: 'participant' | 'facilitator', { folded = false, shown = true } = {}): string {
  const one = new Session({
    ask: () => Promise.resolve(),
    announce: vi.fn(),
    tone: vi.fn(),
    now: () => 0,
  });
  one.joined('id-0', FORMATS);
  one.roster([person(0, { role })]);
  if (shown) one.told({ name: 'shown_text', payload: { shown: guidelines() } });
  if (folded) one.foldShown(true);
  // Without the marks by which Svelte finds its way.
  return render(ShownText, { props: { session: one } }).body.replaceAll(/<!--.*?-->/g, '');
}

describe('its panel', () => {
  it('shows the text as it is meant, and nothing of it as HTML', () => {
    const html = panel('participant');
    expect(html).toContain('<strong>We listen.</strong>');
    expect(html).not.toContain('<script>');
    expect(html).toContain('aria-expanded="true"');
    expect(html).toContain('Fold away: Group guidelines');
  });

  it('is not there without a text', () => {
    expect(panel('participant', { shown: false })).not.toContain('shown-text');
  });

  it('keeps its title when it is folded away', () => {
    const html = panel('participant', { folded: true });
    expect(html).toContain('Group guidelines');
    expect(html).toContain('aria-expanded="false"');
    expect(html).not.toContain('We listen.');
  });

  it('tells facilitators who shows it, and lets them take it away', () => {
    expect(panel('facilitator')).toContain('Shown to everyone by Fay');
    expect(panel('facilitator')).toContain('Take it off the screen');
    expect(panel('participant')).not.toContain('Fay');
    expect(panel('participant')).not.toContain('Take it off the screen');
  });
});
