import { describe, expect, it, vi } from 'vitest';
import { ApiError, askWith, sentenceOf, withQuery, type CallEdges } from '../src/api/client';
import { StepUp } from '../src/api/step-up.svelte';

type Answer = { status?: number; body?: unknown; headers?: Record<string, string> } | Error;

/** A server that gives these answers, one after the other. */
function served(...answers: Answer[]) {
  const asked: { url: string; init: RequestInit }[] = [];
  const edges = {
    fetch: vi.fn<typeof fetch>((url, init) => {
      asked.push({ url: url as string, init: init ?? {} });
      const answer = answers.shift();
      if (answer === undefined) throw new Error('asked too often');
      if (answer instanceof Error) return Promise.reject(answer);
      const { status = 200, body, headers = {} } = answer;
      const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body);
      return Promise.resolve(new Response(text, { status, headers }));
    }),
    proveAgain: vi.fn<CallEdges['proveAgain']>(() => Promise.resolve(true)),
    answered: vi.fn<CallEdges['answered']>(),
    signedOut: vi.fn<CallEdges['signedOut']>(),
  };
  return { ask: askWith(edges), edges, asked };
}

function refusal(code: string, message = 'Not now.', more: object = {}) {
  return { error: { code, message, ...more } };
}

async function problem(asking: Promise<unknown>): Promise<ApiError> {
  const error = await asking.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

describe('asking the server', () => {
  it('sends JSON to this server only, with its cookie', async () => {
    const { ask, asked, edges } = served({ body: { id: 'a' } });
    expect(await ask<unknown>('POST', '/groups', { name: 'Ours' })).toEqual({ id: 'a' });
    expect(asked[0]?.url).toBe('/api/v1/groups');
    expect(asked[0]?.init).toMatchObject({
      method: 'POST',
      credentials: 'same-origin',
      redirect: 'error',
      body: '{"name":"Ours"}',
      headers: { 'Content-Type': 'application/json' },
    });
    expect(edges.answered).toHaveBeenCalledOnce();
  });

  it('knows an answer without content', async () => {
    const { ask } = served({ status: 204 });
    expect(await ask<unknown>('DELETE', '/me/totp')).toBeUndefined();
  });

  it('tells what the server refused, in its words', async () => {
    const { ask, edges } = served({
      status: 400,
      body: refusal('invalid', 'Something is not right.', { fields: ['body.email'] }),
    });
    const error = await problem(ask('POST', '/invitations', {}));
    expect(error).toMatchObject({ code: 'invalid', status: 400, fields: ['body.email'] });
    expect(sentenceOf(error)).toBe('Something is not right.');
    expect(edges.answered).not.toHaveBeenCalled();
  });

  it('tells for how long to wait', async () => {
    const { ask } = served({
      status: 429,
      body: refusal('slow_down', 'Please wait a little.'),
      headers: { 'Retry-After': '8' },
    });
    const error = await problem(ask('POST', '/sign-in/password', {}));
    expect(error.retryAfterS).toBe(8);
    expect(error.message).toBe('Please wait a little. You can try again in 8 seconds.');
  });

  it.each([
    ['no connection', new TypeError('Failed to fetch'), 'unreachable'],
    ['a server that does not answer', new DOMException('late', 'TimeoutError'), 'slow'],
    ['a page of a proxy', { status: 502, body: '<html>' }, 'unreadable'],
    ['an answer that is not JSON', { body: '<html>' }, 'unreadable'],
    ['an error without words', { status: 500, body: { error: 3 } }, 'unreadable'],
    ['nothing at all', { status: 500, body: 'null' }, 'unreadable'],
  ])('has a sentence for %s', async (_, answer: Answer, code) => {
    const { ask } = served(answer);
    const error = await problem(ask('GET', '/me'));
    expect(error.code).toBe(code);
    expect(sentenceOf(error)).toMatch(/^(We|The) .+\.$/);
  });

  it('gives up after a while', async () => {
    const { ask, asked } = served({ body: {} });
    await ask('GET', '/me');
    expect(asked[0]?.init.signal).toBeInstanceOf(AbortSignal);
  });

  it('notices that the login has ended', async () => {
    const { ask, edges } = served({ status: 401, body: refusal('signed_out') }, { status: 401, body: refusal('wrong_code') });
    await problem(ask('GET', '/groups'));
    expect(edges.signedOut).toHaveBeenCalledOnce();
    // A wrong code is no end of a login.
    await problem(ask('POST', '/sign-in/totp', {}));
    expect(edges.signedOut).toHaveBeenCalledOnce();
  });

  it('writes queries without what is not given', () => {
    expect(withQuery('/audit', { before: undefined, limit: 50, group: 'a b' })).toBe('/audit?limit=50&group=a+b');
    expect(withQuery('/audit', { before: undefined })).toBe('/audit');
  });
});

describe('a fresh proof', () => {
  it('is asked for, and then the same is asked again', async () => {
    const { ask, asked, edges } = served({ status: 403, body: refusal('step_up') }, { status: 204 });
    await ask('PUT', '/me/password', { password: 'four quiet words here' });
    expect(edges.proveAgain).toHaveBeenCalledOnce();
    expect(asked).toHaveLength(2);
    expect(asked[1]?.url).toBe(asked[0]?.url);
    expect(asked[1]?.init.body).toBe(asked[0]?.init.body);
  });

  it('is asked for once: a server that wants another is refused', async () => {
    const { ask, edges } = served(
      { status: 403, body: refusal('step_up') },
      { status: 403, body: refusal('step_up') },
    );
    expect((await problem(ask('POST', '/me/close'))).code).toBe('step_up');
    expect(edges.proveAgain).toHaveBeenCalledOnce();
  });

  it('may be declined; then nothing is asked again', async () => {
    const { ask, asked, edges } = served({ status: 403, body: refusal('step_up', 'Please confirm first that it is you.') });
    edges.proveAgain.mockResolvedValue(false);
    expect((await problem(ask('POST', '/me/close'))).message).toBe('Please confirm first that it is you.');
    expect(asked).toHaveLength(1);
  });

  it('is not asked for what is not allowed anyway', async () => {
    const { ask, edges } = served({ status: 403, body: refusal('not_allowed') });
    await problem(ask('GET', '/audit'));
    expect(edges.proveAgain).not.toHaveBeenCalled();
  });

  it('is one dialog for all who ask at once', async () => {
    const stepUp = new StepUp();
    const both = [stepUp.ask(), stepUp.ask()];
    expect(stepUp.isAsking).toBe(true);
    stepUp.answer(true);
    expect(await Promise.all(both)).toEqual([true, true]);
    expect(stepUp.isAsking).toBe(false);
    const next = stepUp.ask();
    stepUp.answer(false);
    expect(await next).toBe(false);
  });
});
