/** The server's HTTP API, `/api/v1`. */

export const PREFIX = '/api/v1';
const WAIT_MS = 15_000;

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** The server's refusal, or that it could not be asked; `message` is a sentence for people. */
export class ApiError extends Error {
  constructor(
    /** For programs; `unreachable`, `slow` and `unreadable` are the page's own. */
    readonly code: string,
    message: string,
    /** Of HTTP; 0: no answer came. */
    readonly status = 0,
    /** With `invalid`: which of what was sent, such as `body.email`. */
    readonly fields: readonly string[] = [],
    /** How many seconds to wait before the next try, if the server says so. */
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

export interface CallEdges {
  fetch: typeof fetch;
  /** Lets the person prove again who they are; whether they did. */
  proveAgain: () => Promise<boolean>;
  /** The server answered, so it knows that someone is there. */
  answered: () => void;
  /** The login has ended. */
  signedOut: () => void;
}

/**
 * Asks the server; without content the answer is undefined.
 *
 * Where the server wants a fresh proof, the person is asked for it and the call is made again.
 *
 * @param path after `/api/v1`, with its query.
 * @throws ApiError
 */
export type Ask = <T = undefined>(method: Method, path: string, body?: unknown) => Promise<T>;

export function askWith(edges: CallEdges): Ask {
  return async <T>(method: Method, path: string, body?: unknown): Promise<T> => {
    try {
      return (await once(edges, method, path, body)) as T;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401 && error.code === 'signed_out') edges.signedOut();
      if (error.code !== 'step_up' || !(await edges.proveAgain())) throw error;
    }
    return (await once(edges, method, path, body)) as T;
  };
}

async function once(edges: CallEdges, method: Method, path: string, body: unknown): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await edges.fetch(PREFIX + path, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      // The server takes changes as JSON alone, also where there is nothing to send.
      headers: method === 'GET' ? {} : { 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(WAIT_MS),
    });
    text = await response.text();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'TimeoutError')
      throw new ApiError('slow', 'The server takes too long to answer. Please try again in a moment.');
    throw new ApiError('unreachable', 'We cannot reach the server. Please check your connection and try again.');
  }
  if (!response.ok) throw refusalOf(response, text);
  edges.answered();
  if (text === '') return undefined;
  const answer = parsed(text);
  if (answer === undefined) throw unreadable(response.status);
  return answer;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreadable(status: number): ApiError {
  return new ApiError(
    'unreadable',
    'The server’s answer could not be read. Please load the page again in a moment.',
    status,
  );
}

function refusalOf(response: Response, text: string): ApiError {
  const { error } = Object(parsed(text)) as { error?: unknown };
  const { code, message, fields } = Object(error) as { code?: unknown; message?: unknown; fields?: unknown };
  if (typeof code !== 'string' || typeof message !== 'string') return unreadable(response.status);
  const seconds = Number(response.headers.get('Retry-After') ?? NaN);
  const wait = Number.isFinite(seconds) && seconds > 0 ? Math.ceil(seconds) : null;
  return new ApiError(
    code,
    code === 'slow_down' && wait !== null ? `${message} You can try again in ${waitWords(wait)}.` : message,
    response.status,
    Array.isArray(fields) ? fields.filter((one) => typeof one === 'string') : [],
    wait,
  );
}

export function waitWords(seconds: number): string {
  if (seconds < 120) return seconds === 1 ? '1 second' : `${seconds} seconds`;
  return `${Math.ceil(seconds / 60)} minutes`;
}

/** What to tell the person when something did not work. */
export function sentenceOf(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return 'Something went wrong on this page. Please load it again.';
}

/** A path with its query; what is undefined is left out. */
export function withQuery(path: string, query: Record<string, string | number | boolean | undefined>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  if (given.length === 0) return path;
  return `${path}?${new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString()}`;
}
