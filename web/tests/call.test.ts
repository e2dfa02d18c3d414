import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { retryDelay } from '../src/call/retry';
import { connectionOf } from '../src/call/state';
import { RequestFailed } from '../src/wire/socket';
import { joined, person, refuse, roster, settle, Stage, welcome } from './fakes';

let stage: Stage;

beforeEach(() => {
  vi.useFakeTimers();
  stage = new Stage();
});

afterEach(() => {
  stage.call.dispose();
  vi.useRealTimers();
});

const ticks = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('joining', () => {
  it('says hello with the token, and without a resume that it does not have', () => {
    expect(stage.hello()).toEqual({ protocol: 3, room: 'garden', token: 'token' });
    expect('resume' in stage.hello()).toBe(false);
  });

  it('waits in the lobby until asked to join', async () => {
    stage.call.start();
    await stage.letIn();
    stage.listener.welcome(welcome({ present: 4 }));
    expect(stage.state).toMatchObject({ phase: 'lobby', online: true, welcome: { present: 4 } });
    expect(stage.asked).toEqual([]);
  });

  it('joins with what is sent, answers the offer, and is in the room', async () => {
    stage.media.sending = { mic: true, camera: false };
    stage.call.start();
    await stage.letIn();
    stage.call.join('Ada');
    await settle();
    const join = stage.request('join');
    expect(join.payload).toEqual({
      name: 'Ada',
      mic: true,
      camera: false,
      ...stage.encryption.introduction,
    });
    await join.ok(joined());
    const answer = stage.request('answer');
    expect(answer.payload).toEqual({ sdp: 'answer to offer' });
    expect(stage.state).toMatchObject({ phase: 'room', selfId: 'id-0', link: 'connecting' });
    await answer.ok({ ok: true });
    stage.peer.path('connected');
    expect(stage.state.link).toBe('connected');
    expect(stage.memory.resume).toBe('resume-1');
    expect(stage.peer.limits.at(-1)).toEqual([2, false]);
  });

  it('begins with as much video as suits the room', async () => {
    const people = Array.from({ length: 12 }, (_, slot) => person(slot, { screen: slot === 3 }));
    stage.call.start();
    await stage.letIn();
    stage.call.join('Ada');
    await settle();
    await stage.request('join').ok(joined({ roster: roster(1, ...people) }));
    // The server has not taken the answer yet, and until then nothing is sent.
    expect(stage.request('answer').payload).toEqual({ sdp: 'answer to offer' });
    expect(stage.peer.limits).toEqual([[12, true]]);
  });

  it('joins as soon as there is a connection if asked before', async () => {
    stage.call.start();
    stage.call.join('Ada');
    expect(stage.state.phase).toBe('joining');
    await stage.letIn();
    expect(stage.request('join').payload).toMatchObject({ name: 'Ada' });
  });

  it('tells the server what changed while it joined', async () => {
    stage.call.start();
    await stage.letIn();
    stage.call.join('Ada');
    await settle();
    const join = stage.request('join');
    stage.media.sending = { mic: false, camera: true };
    await join.ok(joined());
    await stage.request('answer').ok({ ok: true });
    expect(stage.request('media').payload).toEqual({ mic: false, camera: true });
  });

  it('goes back to the lobby with the sentence when the name is refused', async () => {
    stage.call.start();
    await stage.letIn();
    stage.call.join('\u200b');
    await settle();
    await stage.request('join').fail(refuse('malformed', 'Please choose another name.'));
    expect(stage.state).toMatchObject({ phase: 'lobby', notice: 'Please choose another name.' });
    stage.call.join('Ada');
    await settle();
    expect(stage.request('join').payload).toMatchObject({ name: 'Ada' });
  });

  it('ends with a chance to retry when the room is full', async () => {
    stage.call.start();
    await stage.letIn();
    stage.call.join('Ada');
    await settle();
    await stage.request('join').fail(refuse('room_full'));
    expect(stage.state.end).toEqual({
      code: 'room_full',
      message: 'Refused: room_full.',
      retry: true,
    });
    const attempts = stage.attempts;
    await ticks(60_000);
    expect(stage.attempts).toBe(attempts);
    stage.call.again();
    expect(stage.attempts).toBe(attempts + 1);
    await stage.letIn();
    expect(stage.request('join').payload).toMatchObject({ name: 'Ada' });
  });

  it('says so after three joins in vain instead of going round for ever', async () => {
    stage.call.start();
    await stage.letIn();
    stage.call.join('Ada');
    for (let round = 0; round < 3; round += 1) {
      await settle();
      await stage.request('join').fail(refuse('internal'));
      if (round < 2) {
        await ticks(3_000);
        await stage.letIn();
      }
    }
    expect(stage.state.end?.code).toBe('internal');
  });
});

describe('a refused link', () => {
  it.each(['bad_token', 'expired_token', 'wrong_room', 'outdated_page'] as const)(
    '%s ends the visit, and nothing is tried again',
    async (code) => {
      stage.call.start();
      stage.refuseSocket(code);
      expect(stage.state).toMatchObject({ phase: 'ended', end: { code, retry: false } });
      await ticks(60_000);
      expect(stage.attempts).toBe(1);
      expect(stage.media.stopped).toBe(1);
    },
  );

  it('holds for someone who was in the room, too', async () => {
    await stage.enter();
    stage.drop();
    await ticks(300);
    stage.refuseSocket('expired_token');
    await ticks(60_000);
    expect(stage.state.end?.code).toBe('expired_token');
    expect(stage.attempts).toBe(2);
  });

  it('asks in the lobby what to do about too many connections', () => {
    stage.call.start();
    stage.refuseSocket('too_many_connections');
    expect(stage.state.end).toMatchObject({ code: 'too_many_connections', retry: true });
  });

  it('keeps trying when the server is only restarting', async () => {
    stage.call.start();
    stage.refuseSocket('stopping');
    expect(stage.state.phase).toBe('lobby');
    await ticks(300);
    expect(stage.attempts).toBe(2);
  });
});

describe('losing the connection', () => {
  it('comes back by itself, to the same place, with a new peer connection', async () => {
    await stage.enter();
    const first = stage.peer;
    stage.drop();
    expect(stage.state).toMatchObject({ phase: 'room', link: 'reconnecting', online: false });
    expect(stage.state.roster?.participants).toHaveLength(2);
    expect(first.closed).toBe(false);
    await ticks(250);
    expect(stage.attempts).toBe(2);
    expect(stage.hello().resume).toBe('resume-1');
    await stage.letIn();
    await stage.reenter(joined({ resume: 'resume-2' }));
    expect(stage.peers).toHaveLength(2);
    expect(first.closed).toBe(true);
    expect(stage.state).toMatchObject({ phase: 'room', link: 'connected', selfId: 'id-0' });
    expect(stage.memory.resume).toBe('resume-2');
    expect(stage.media.stopped).toBe(0);
    expect(stage.announced).toContain('You are connected again.');
  });

  it('tries for ever, at most three seconds apart', async () => {
    await stage.enter();
    stage.drop();
    for (let round = 2; round < 40; round += 1) {
      await ticks(3_000);
      expect(stage.attempts).toBe(round);
      stage.drop();
    }
    expect(stage.state.phase).toBe('room');
  });

  it('gives up an attempt that gets no answer at all', async () => {
    stage.call.start();
    await ticks(8_000 + 300);
    expect(stage.attempts).toBe(2);
  });

  it('tries at once when the network is back', async () => {
    await stage.enter();
    for (let round = 0; round < 6; round += 1) {
      stage.drop();
      await ticks(3_000);
    }
    stage.drop();
    const { attempts } = stage;
    await stage.call.wake();
    expect(stage.attempts).toBe(attempts + 1);
  });

  it('finds out on waking that the old socket is dead', async () => {
    await stage.enter();
    void stage.call.wake();
    await ticks(2_000);
    expect(stage.state.link).toBe('reconnecting');
    await ticks(300);
    expect(stage.attempts).toBe(2);
  });

  it('stays when the old socket turns out to be alive', async () => {
    await stage.enter();
    void stage.call.wake();
    await stage.request('media').ok({ ok: true });
    await ticks(20_000);
    expect(stage.attempts).toBe(1);
    expect(stage.state.link).toBe('connected');
  });

  it('rejoins when the acknowledgement of the answer does not come', async () => {
    stage.call.start();
    await stage.letIn();
    stage.call.join('Ada');
    await settle();
    await stage.request('join').ok(joined());
    await ticks(10_500);
    expect(stage.attempts).toBe(2);
  });

  it('lets nothing that an earlier connection left behind come through', async () => {
    stage.call.start();
    await stage.letIn();
    stage.call.join('Ada');
    await settle();
    const stale = stage.request('join');
    stage.drop();
    await ticks(300);
    await stage.letIn();
    await stage.reenter(joined({ id: 'new', roster: roster(1, person(0, { id: 'new' })) }));
    await stale.ok(joined({ id: 'old', resume: 'old' }));
    expect(stage.state.selfId).toBe('new');
    expect(stage.memory.resume).toBe('resume-1');
    expect(stage.peers).toHaveLength(1);
  });

  it('does not take the end of the old peer connection for trouble of the new', async () => {
    await stage.enter();
    stage.drop();
    await ticks(300);
    await stage.letIn();
    const join = stage.request('join');
    stage.peer.path('broken');
    await join.ok(joined());
    await stage.request('answer').ok({ ok: true });
    stage.peer.path('connected');
    await ticks(20_000);
    expect(stage.attempts).toBe(2);
    expect(stage.state.link).toBe('connected');
  });
});

describe('a restarting server', () => {
  it('is given the time it asked for', async () => {
    await stage.enter();
    stage.listener.stopping({ retry_after_ms: 2_000 });
    expect(stage.state).toMatchObject({ restarting: true, link: 'connected' });
    stage.drop();
    await ticks(1_900);
    await stage.call.wake();
    expect(stage.attempts).toBe(1);
    await ticks(600);
    expect(stage.attempts).toBe(2);
    await stage.letIn();
    expect(stage.state.restarting).toBe(false);
  });

  it('is hung up on when it forgets to hang up', async () => {
    await stage.enter();
    stage.listener.stopping({ retry_after_ms: 2_000 });
    await ticks(6_000);
    expect(stage.attempts).toBe(2);
  });

  it('finds the places of those held who are not back yet', async () => {
    await stage.enter();
    stage.drop();
    await ticks(300);
    await stage.letIn();
    await stage.reenter(joined({ roster: roster(0, person(0)) }));
    const away = stage.state.roster?.participants[1];
    expect(away).toMatchObject({ id: 'id-1', connection: 'reconnecting' });
    stage.listener.roster(roster(1, person(0), person(1)));
    expect(stage.state.roster?.participants[1]?.connection).toBe('connected');
    expect(stage.announced).toContain('Person 1 is back.');
    expect(stage.announced.join(' ')).not.toContain('joined');
  });

  it('does not hold them for ever', async () => {
    await stage.enter();
    stage.drop();
    await ticks(300);
    await stage.letIn();
    await stage.reenter(joined({ roster: roster(0, person(0)) }));
    await ticks(6_000);
    expect(stage.state.roster?.participants.map((one) => one.id)).toEqual(['id-0']);
  });
});

describe('encryption', () => {
  it('hears of its standing, of rosters, of its own events, and of the end', async () => {
    await stage.enter();
    const due = { group: new Uint8Array(16), epoch: 3, add: [], remove: [] };
    stage.listener.toldOfGroup({ name: 'commit_due', payload: due });
    stage.listener.roster(roster(2, person(0)));
    stage.drop();
    void stage.call.leave();
    await settle();
    expect(stage.encryption.heard).toEqual([
      ['joined', 'id-0', 'waiting'],
      ['roster', 1],
      ['roster', 1],
      { name: 'commit_due', payload: due },
      ['roster', 2],
      'offline',
      'left',
    ]);
  });

  it('calls people by the names that their own credentials give', async () => {
    stage.encryption.names.set('id-1', 'Ada (2)');
    await stage.enter();
    expect(stage.state.roster?.participants.map((one) => one.name)).toEqual(['Person 0', 'Ada (2)']);
    stage.encryption.names.set('id-1', 'Benno');
    stage.call.namesChanged();
    expect(stage.state.roster?.participants.map((one) => one.name)).toEqual(['Person 0', 'Benno']);
  });
});

describe('being removed', () => {
  it('shows why and stays away until asked', async () => {
    await stage.enter();
    stage.listener.removed({ code: 'joined_elsewhere', message: 'You joined elsewhere.' });
    stage.drop();
    await ticks(60_000);
    expect(stage.attempts).toBe(1);
    expect(stage.state).toMatchObject({
      phase: 'ended',
      end: { code: 'joined_elsewhere', message: 'You joined elsewhere.', retry: true },
    });
    expect(stage.peer.closed).toBe(true);
    expect(stage.media.stopped).toBe(1);
    stage.call.again();
    await stage.letIn();
    expect(stage.hello().resume).toBe('resume-1');
    await stage.reenter();
    expect(stage.state.phase).toBe('room');
  });
});

describe('leaving', () => {
  it('says goodbye once and turns everything off', async () => {
    await stage.enter();
    const leaving = stage.call.leave();
    expect(stage.state).toMatchObject({ phase: 'ended', end: { code: 'left' } });
    // The devices stop, which is no news for a room that one is no longer in.
    stage.media.sending = { mic: false, camera: false };
    await stage.call.mediaChanged();
    await stage.request('leave').ok({ ok: true });
    expect(stage.asked).toEqual([]);
    await leaving;
    expect(stage.connected).toBe(false);
    // Who comes back is the same person to the moderation: leaving ends no mute.
    expect(stage.memory.resume).toBe('resume-1');
    expect(stage.media.stopped).toBe(1);
    expect(stage.peer.closed).toBe(true);
    await ticks(60_000);
    expect(stage.attempts).toBe(1);
    stage.call.again();
    expect(stage.state.phase).toBe('lobby');
    await stage.letIn();
    expect(stage.asked).toEqual([]);
  });

  it('does not hang up on someone who came back before the goodbye was through', async () => {
    await stage.enter();
    const leaving = stage.call.leave();
    stage.call.again();
    await stage.letIn();
    await ticks(5_000);
    await leaving;
    expect(stage.connected).toBe(true);
    expect(stage.state.phase).toBe('lobby');
  });
});

describe('the media path', () => {
  it('is given three seconds to recover by itself', async () => {
    await stage.enter();
    stage.peer.path('disconnected');
    await ticks(2_900);
    stage.peer.path('connected');
    await ticks(20_000);
    expect(stage.asked).toEqual([]);
    expect(stage.attempts).toBe(1);
  });

  it('is restarted over the socket that still works', async () => {
    await stage.enter();
    stage.peer.path('disconnected');
    await ticks(3_000);
    expect(stage.state.link).toBe('reconnecting');
    await stage.request('restart_ice').ok({ ok: true, sdp: 'offer 2' });
    const answer = stage.request('answer');
    expect(answer.payload).toEqual({ sdp: 'answer to offer 2' });
    await answer.ok({ ok: true });
    stage.peer.path('connected');
    expect(stage.state.link).toBe('connected');
    expect(stage.peers).toHaveLength(1);
    await ticks(20_000);
    expect(stage.attempts).toBe(1);
  });

  it('is made anew when the restart does not help within eight seconds', async () => {
    await stage.enter();
    stage.peer.path('failed');
    await settle();
    await stage.request('restart_ice').ok({ ok: true, sdp: 'offer 2' });
    await stage.request('answer').ok({ ok: true });
    await ticks(8_000);
    await ticks(300);
    expect(stage.attempts).toBe(2);
  });

  it('is made anew at once when DTLS failed', async () => {
    await stage.enter();
    stage.peer.path('broken');
    await ticks(300);
    expect(stage.attempts).toBe(2);
    expect(stage.asked).toEqual([]);
  });

  it('is named as what does not get through when only that fails', async () => {
    stage.call.start();
    await stage.letIn();
    stage.call.join('Ada');
    for (let round = 0; round < 2; round += 1) {
      await settle();
      await stage.request('join').ok(joined());
      await stage.request('answer').ok({ ok: true });
      await ticks(8_000);
      if (round === 0) {
        expect(stage.state.mediaBlocked).toBe(false);
        await ticks(3_000);
        await stage.letIn();
      }
    }
    expect(stage.state.mediaBlocked).toBe(true);
  });
});

describe('the roster', () => {
  it('ignores an older one and takes a newer one', async () => {
    await stage.enter(joined({ roster: roster(5, person(0), person(1)) }));
    stage.listener.roster(roster(4, person(0)));
    expect(stage.state.roster?.participants).toHaveLength(2);
    stage.listener.roster(roster(6, person(0), person(1), person(2)));
    expect(stage.state.roster?.participants).toHaveLength(3);
    expect(stage.peer.limits.at(-1)).toEqual([3, false]);
  });

  it('starts over with each connection, as a restarted server may count from zero', async () => {
    await stage.enter(joined({ roster: roster(900, person(0)) }));
    stage.drop();
    await ticks(300);
    await stage.letIn();
    await stage.reenter(joined({ roster: roster(1, person(0)) }));
    stage.listener.roster(roster(2, person(0), person(3)));
    expect(stage.state.roster).toMatchObject({ version: 2 });
  });

  it('keeps one that overtook the acknowledgement of the join', async () => {
    stage.call.start();
    await stage.letIn();
    stage.call.join('Ada');
    await settle();
    stage.listener.roster(roster(8, person(0), person(1), person(2)));
    await stage.request('join').ok(joined({ roster: roster(7, person(0)) }));
    expect(stage.state.roster?.version).toBe(8);
  });

  it('shows one’s own connection as it is known here', async () => {
    await stage.enter();
    stage.drop();
    const [self, other] = stage.state.roster?.participants ?? [];
    if (!self || !other) throw new Error('nobody there');
    expect(connectionOf(self, stage.state)).toBe('reconnecting');
    expect(connectionOf(other, stage.state)).toBe('connected');
  });
});

describe('telling what is sent', () => {
  it('sends only the latest, however often it changes meanwhile', async () => {
    await stage.enter();
    stage.media.sending = { mic: false, camera: true };
    void stage.call.mediaChanged();
    await settle();
    const first = stage.request('media');
    stage.media.sending = { mic: true, camera: true };
    void stage.call.mediaChanged();
    stage.media.sending = { mic: false, camera: false };
    void stage.call.mediaChanged();
    await settle();
    expect(stage.asked).toEqual([]);
    await first.ok({ ok: true });
    expect(stage.request('media').payload).toEqual({ mic: false, camera: false });
    expect(stage.asked).toEqual([]);
  });

  it('says it again when it was too fast', async () => {
    await stage.enter();
    stage.media.sending = { mic: false, camera: true };
    void stage.call.mediaChanged();
    await settle();
    await stage.request('media').fail(refuse('too_fast'));
    await ticks(1_000);
    expect(stage.request('media').payload).toEqual({ mic: false, camera: true });
  });
});

describe('sharing the screen', () => {
  it('asks the server first and shows its refusal', async () => {
    await stage.enter();
    void stage.call.shareScreen();
    await settle();
    await stage.request('share_screen').fail(refuse('screen_taken', 'Ben is sharing.'));
    expect(stage.state).toMatchObject({ sharing: 'off', notice: 'Ben is sharing.' });
    expect(stage.media.screenOpen).toBe(false);
  });

  it('frees the place when nothing is chosen', async () => {
    await stage.enter();
    stage.media.screenChosen = false;
    void stage.call.shareScreen();
    await settle();
    await stage.request('share_screen').ok({ ok: true });
    expect(stage.request('share_screen').payload).toEqual({ on: false });
    expect(stage.state.sharing).toBe('off');
  });

  it('goes on after a reconnection, or ends with a word', async () => {
    await stage.enter();
    void stage.call.shareScreen();
    await settle();
    await stage.request('share_screen').ok({ ok: true });
    expect(stage.state.sharing).toBe('on');
    stage.drop();
    await ticks(300);
    await stage.letIn();
    await stage.reenter();
    await settle();
    await stage.request('share_screen').fail(refuse('screen_taken', 'Ben is sharing.'));
    expect(stage.state.sharing).toBe('off');
    expect(stage.media.screenOpen).toBe(false);
    expect(stage.state.notice).toContain('Ben is sharing.');
  });
});

describe('retryDelay', () => {
  it('is quick first, grows, and has a limit', () => {
    expect(retryDelay(0, 1)).toBe(250);
    expect(retryDelay(0, 0)).toBe(125);
    expect(retryDelay(2, 1)).toBe(1_000);
    expect(retryDelay(50, 1)).toBe(3_000);
  });
});

it('a failure without a problem is none of the server’s sentences', async () => {
  await stage.enter();
  void stage.call.shareScreen();
  await settle();
  await stage.request('share_screen').fail(new RequestFailed('timeout', 'internal words'));
  expect(stage.state.notice).not.toContain('internal words');
});

describe('the session', () => {
  it('learns who one is and who is there before it is told anything', async () => {
    await stage.enter();
    stage.listener.told({ name: 'unmuted', payload: { text: 'You can be heard again.' } });
    expect(stage.heard).toEqual([
      ['joined', 'id-0'],
      ['roster', 2],
      { name: 'unmuted', payload: { text: 'You can be heard again.' } },
    ]);
  });

  it('begins anew with each join', async () => {
    await stage.enter();
    stage.heard = [];
    stage.drop();
    await ticks(300);
    await stage.letIn();
    await stage.reenter();
    expect(stage.heard[0]).toEqual(['joined', 'id-0']);
  });

  it('asks over the socket, and hears refusals as they are', async () => {
    await stage.enter();
    const raised = stage.call.ask('request_floor', {});
    await settle();
    await stage.request('request_floor').ok({ ok: true });
    await raised;
    const again = stage.call.ask('request_floor', {}).catch((error: unknown) => error);
    await settle();
    await stage.request('request_floor').fail(refuse('hand_already_up'));
    expect(await again).toMatchObject({ kind: 'refused', problem: { code: 'hand_already_up' } });
  });
});
