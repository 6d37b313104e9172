import { URLExt } from "@jupyterlab/coreutils";
import { ServerConnection } from "@jupyterlab/services";

import { Problem, problem } from "./problem.js";
import type { About, Listing, LogHits, LogPage, Run } from "./types.js";

/** What may follow a `?`: what is null, undefined or "" is left out. */
export type Query = Record<string, string | number | boolean | null | undefined>;

/** An answer that may be the same as last time: then `body` is null. */
export interface Tagged<T> {
  body: T | null;
  etag: string;
}

/**
 * The server's runs, by HTTP. Every way out of a request is an answer or a `Problem`.
 */
export class Client {
  readonly settings: ServerConnection.ISettings;

  constructor(settings: ServerConnection.ISettings = ServerConnection.makeSettings()) {
    this.settings = settings;
  }

  about(): Promise<About> {
    return this.get("about");
  }

  runs(query: Query = {}): Promise<Listing> {
    return this.get("runs", query);
  }

  run(id: string): Promise<Run> {
    return this.get(path(id));
  }

  log(id: string, query: Query): Promise<LogPage> {
    return this.get(path(id, "log"), query);
  }

  find(id: string, query: Query): Promise<LogHits> {
    return this.get(path(id, "log/find"), query);
  }

  /** `stop`, `pause`, `resume`, `rerun`. */
  act(id: string, verb: string): Promise<unknown> {
    return this.send("POST", path(id, verb));
  }

  delete(id: string, stop = false): Promise<unknown> {
    return this.send("DELETE", path(id), { stop: stop ? 1 : null });
  }

  /** What is at an address below ours. */
  async get<T>(at: string, query: Query = {}, init: RequestInit = {}): Promise<T> {
    const response = await this.ask(at, query, init);
    return (await response.json()) as T;
  }

  /** The same, unless it is as it was when it had this `etag`. */
  async getTagged<T>(at: string, query: Query, etag: string): Promise<Tagged<T>> {
    const headers: Record<string, string> = etag ? { "If-None-Match": etag } : {};
    const response = await this.ask(at, query, { headers, cache: "no-store" });
    const body = response.status === 304 ? null : ((await response.json()) as T);
    return { body, etag: response.headers.get("ETag") ?? etag };
  }

  async send(method: string, at: string, query: Query = {}, body?: unknown): Promise<unknown> {
    const init: RequestInit = { method };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
    }
    const response = await this.ask(at, query, init);
    const text = await response.text();
    return text ? JSON.parse(text) : null;
  }

  /** The address of something of ours, for links and frames. */
  url(at: string, query: Query = {}): string {
    return URLExt.join(this.settings.baseUrl, "jobq-magic", at) + asked(query);
  }

  /** The address of a WebSocket of ours. */
  socketUrl(at: string, query: Query = {}): string {
    const { wsUrl, token, appendToken } = this.settings;
    return URLExt.join(wsUrl, "jobq-magic", at) + asked(appendToken && token ? { ...query, token } : query);
  }

  socket(at: string, query: Query = {}): WebSocket {
    return new this.settings.WebSocket(this.socketUrl(at, query));
  }

  private async ask(at: string, query: Query, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(this.url(at, query), init, this.settings);
    } catch (error) {
      if (init.signal?.aborted) {
        throw error;
      }
      throw new Problem({ code: "unreachable", what: "The Jupyter server does not answer" }, 0);
    }
    if (response.ok || response.status === 304) {
      return response;
    }
    const body: unknown = await response.json().catch(() => null);
    throw problem(response.status, body, response.statusText);
  }
}

/** The path of a run, or of something of it. */
export function path(id: string, part = ""): string {
  return `runs/${encodeURIComponent(id)}${part && "/"}${part}`;
}

function asked(query: Query): string {
  const told = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(told.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}
