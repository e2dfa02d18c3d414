import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Emitter, readAck, request, RequestFailed } from '../src/wire/socket';
import { joined } from './fakes';

/** A Socket.IO socket as far as `request` sees it, with its timeouts. */
class FakeEmitter implements Emitter {
  connected = true;
  sent: { name: string; payload: unknown; done: (error: Error | null, ack?: unknown) => void }[] = [];
  timeout(ms: number) {
    return {
      emit: (name: string, payload: unknown, done: (error: Error | null, ack?: unknown) => void) => {
        const timer = setTimeout(() => done(new Error('operation has timed out')), ms);
        this.sent.push({
          name,
          payload,
          done: (error, ack) => {
            clearTimeout(timer);
            done(error, ack);
          },
        });
      },
    };
  }
}

let socket: FakeEmitter;

beforeEach(() => {
  vi.useFakeTimers();
  socket = new FakeEmitter();
});

afterEach(() => {
  vi.useRealTimers();
});

async function failure(promise: Promise<unknown>): Promise<RequestFailed> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RequestFailed);
  return error as RequestFailed;
}

describe('request', () => {
  it('resolves with what the server acknowledged', async () => {
    const key_package = new Uint8Array([0, 1]);
    const answer = request(socket, 'join', { name: 'Ada', mic: true, camera: true, key_package });
    expect(socket.sent[0]).toMatchObject({ name: 'join', payload: { name: 'Ada' } });
    socket.sent[0]?.done(null, joined());
    expect(await answer).toEqual(joined());
  });

  it('rejects with the server’s code and sentence', async () => {
    const answer = request(socket, 'share_screen', { on: true });
    socket.sent[0]?.done(null, { error: { code: 'screen_taken', message: 'Ben is sharing.' } });
    expect(await failure(answer)).toMatchObject({
      kind: 'refused',
      message: 'Ben is sharing.',
      problem: { code: 'screen_taken' },
    });
  });

  it('rejects after ten seconds of silence', async () => {
    const answer = failure(request(socket, 'media', { mic: true, camera: true }));
    let settled = false;
    void answer.then(() => (settled = true));
    await vi.advanceTimersByTimeAsync(9_900);
    expect(settled).toBe(false);
    await vi.advanceTimersByTimeAsync(200);
    expect((await answer).kind).toBe('timeout');
  });

  it('tells a socket that broke from a server that is silent', async () => {
    const answer = failure(request(socket, 'media', { mic: true, camera: true }));
    socket.connected = false;
    socket.sent[0]?.done(new Error('socket has been disconnected'));
    expect((await answer).kind).toBe('lost');
  });

  it('sends nothing without a connection', async () => {
    socket.connected = false;
    expect((await failure(request(socket, 'leave', {}))).kind).toBe('lost');
    expect(socket.sent).toEqual([]);
  });
});

describe('readAck', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a list', [{ ok: true }]],
    ['neither ok nor error', {}],
    ['an ok that is not true', { ok: 'true' }],
    ['an error without a message', { error: { code: 'internal' } }],
  ])('takes %s for malformed', (_, ack) => {
    expect(() => readAck('media', ack)).toThrow(RequestFailed);
    expect(() => readAck('media', ack)).toThrow(/understands/);
  });

  it.each([
    ['no offer', { ...joined(), sdp: '' }],
    ['no id', { ...joined(), id: undefined }],
    ['no resume', { ...joined(), resume: null }],
    ['a roster without people', { ...joined(), roster: { version: 1 } }],
    ['someone without a slot', { ...joined(), roster: { version: 1, participants: [{ id: 'a', name: 'A' }] } }],
  ])('does not take a join with %s', (_, ack) => {
    expect(() => readAck('join', ack)).toThrow(/understands/);
  });

  it('wants an offer to restart ICE', () => {
    expect(() => readAck('restart_ice', { ok: true })).toThrow(/understands/);
    expect(readAck('restart_ice', { ok: true, sdp: 'v=0' })).toEqual({ ok: true, sdp: 'v=0' });
  });
});
