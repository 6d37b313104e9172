import { DisposableDelegate, type IDisposable } from "@lumino/disposable";
import { Poll } from "@lumino/polling";
import { Signal, type ISignal } from "@lumino/signaling";

import { type Client } from "./client.js";
import { Problem } from "./problem.js";
import type { Changed, Run, Trouble } from "./types.js";

/**
 * How we hear of changes: not asked yet, pushed, by asking again and again, not at all (what is known grows old), or
 * never: the server does not know us.
 */
export type Hearing = "starting" | "live" | "polling" | "lost" | "absent";

type Listener = (run: Run) => void;
type Message = Changed | { kind: "run"; run: Run } | { kind: "trouble"; error: Trouble } | { kind: "still" };

/** A socket that says nothing for so long after it was asked for is not one that will. */
const PATIENCE = 8000;
/** The server says `still` where there is nothing to say: who says nothing for so long is not there any more. */
const SILENCE = 60_000;
/** The server has sockets enough: it may have fewer later. */
const TOO_MANY = 1013;
const LATER = 300_000;
/** Runs that may be watched over one socket. */
const MOST = 16;
const ASKING = { interval: 2000, backoff: true, max: 30_000 };
const KNOCKING = { interval: 1000, backoff: true, max: 60_000 };

/**
 * What changes in all runs, pushed by the server over one socket; where that cannot be had, asked for. Quiet while the
 * page is hidden.
 */
export class Changes implements IDisposable {
  private socket: WebSocket | null = null;
  private version = "";
  private hearing: Hearing = "starting";
  private heardAt = Date.now();
  private readonly watched = new Map<string, Set<Listener>>();
  private readonly asking: Poll;
  private readonly knocking: Poll;
  private readonly _changed = new Signal<this, Changed>(this);
  private readonly _stale = new Signal<this, void>(this);
  private readonly _troubled = new Signal<this, Problem>(this);
  private readonly _stateChanged = new Signal<this, Hearing>(this);
  private disposed = false;
  private silence: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly client: Client) {
    const standby = () => this.hearing === "absent" || document.hidden;
    this.asking = new Poll({
      auto: false,
      name: "jobq-magic:changes",
      frequency: ASKING,
      standby,
      factory: () => this.ask()
    });
    this.knocking = new Poll({
      auto: false,
      name: "jobq-magic:socket",
      frequency: KNOCKING,
      standby,
      factory: () => this.connect()
    });
    document.addEventListener("visibilitychange", this.onVisible);
  }

  /** New and changed rows, and who is gone. */
  get changed(): ISignal<this, Changed> {
    return this._changed;
  }

  /** What is known is too old to be mended by changes: list anew. */
  get stale(): ISignal<this, void> {
    return this._stale;
  }

  /** The server itself cannot read the runs now. */
  get troubled(): ISignal<this, Problem> {
    return this._troubled;
  }

  get stateChanged(): ISignal<this, Hearing> {
    return this._stateChanged;
  }

  get state(): Hearing {
    return this.hearing;
  }

  /** When something was heard last, in milliseconds. */
  get since(): number {
    return this.heardAt;
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  /** Hears of all that changes after a version, from now on. */
  follow(version: string): void {
    this.version = version;
    this.heardAt = Date.now();
    if (this.hearing !== "live") {
      this.hear("polling");
      void this.knocking.start();
    }
  }

  /** Says that nobody answers, and asks again now and then: but not a server that does not know us. */
  lose(problem: unknown): void {
    // Who was heard once is there: a proxy between, started anew, does not know the way yet.
    const absent = !this.version && problem instanceof Problem && problem.absent;
    this.hear(absent ? "absent" : "lost");
    if (!absent) {
      void this.asking.start();
    }
  }

  /** Tells all of one run, now and whenever it changes. */
  watch(id: string, listener: Listener): IDisposable {
    const there = this.watched.get(id) ?? new Set();
    this.watched.set(id, there.add(listener));
    this.tellWatched();
    void this.show(id);
    return new DisposableDelegate(() => {
      there.delete(listener);
      if (!there.size && this.watched.get(id) === there) {
        this.watched.delete(id);
        this.tellWatched();
      }
    });
  }

  dispose(): void {
    if (this.disposed) {
      return;
    }
    this.disposed = true;
    document.removeEventListener("visibilitychange", this.onVisible);
    clearTimeout(this.silence);
    this.asking.dispose();
    this.knocking.dispose();
    this.socket?.close();
    Signal.clearData(this);
  }

  // --- pushed ---

  /** Settles when the server has said hello; then `knocking` rests until the socket is closed. */
  private connect(): Promise<void> {
    return new Promise((done, fail) => {
      const socket = this.client.socket("changes");
      const late = setTimeout(() => socket.close(), PATIENCE);
      let greeted = false;
      socket.onmessage = ({ data }) => {
        clearTimeout(late);
        if (this.disposed || (greeted && socket !== this.socket)) {
          return;
        }
        const message = JSON.parse(data as string) as Message;
        this.listen();
        if (!greeted) {
          greeted = true;
          this.socket = socket;
          this.hear("live");
          void this.asking.stop();
          void this.knocking.stop();
          this.send({ hidden: document.hidden });
          this.tellWatched();
          done();
        }
        this.take(message);
      };
      socket.onclose = ({ code }) => {
        clearTimeout(late);
        const ours = this.socket === socket;
        if (ours) {
          this.socket = null;
          clearTimeout(this.silence);
        }
        if (!this.disposed && (ours || !greeted)) {
          this.hear(this.hearing === "live" ? "polling" : this.hearing);
          void this.asking.start();
          if (ours || code === TOO_MANY) {
            const interval = code === TOO_MANY ? LATER : KNOCKING.interval;
            void this.knocking.schedule({ interval, phase: "started" });
          }
        }
        fail(new Problem({ code: "unreachable", what: "The socket was closed" }, 0));
      };
    });
  }

  private take(message: Message): void {
    this.heardAt = Date.now();
    switch (message.kind) {
      case "hello":
        if (message.version !== this.version) {
          void this.asking.refresh();
        }
        break;
      case "changed":
        this.version = message.version;
        this._changed.emit(message);
        break;
      case "relist":
        this._stale.emit();
        break;
      case "run":
        this.tell(message.run);
        break;
      case "trouble":
        this._troubled.emit(new Problem(message.error, 500));
        break;
    }
  }

  private send(told: object): void {
    if (this.socket?.readyState === 1) {
      this.socket.send(JSON.stringify(told));
    }
  }

  private tellWatched(): void {
    this.send({ watch: [...this.watched.keys()].slice(-MOST) });
  }

  private readonly onVisible = (): void => {
    this.send({ hidden: document.hidden });
    this.listen();
  };

  /** Lets go of a socket that says nothing any more. A hidden page is told nothing, and nothing is amiss. */
  private listen(): void {
    clearTimeout(this.silence);
    if (!document.hidden) {
      this.silence = setTimeout(() => this.socket?.close(), SILENCE);
    }
  }

  // --- asked for ---

  private async ask(): Promise<void> {
    try {
      const { body } = await this.client.getTagged<Message>("changes/poll", { version: this.version }, "");
      this.heardAt = Date.now();
      if (body?.kind === "hello") {
        this._stale.emit(); // we had no version to ask with
      } else if (body) {
        this.take(body);
      }
      if (this.hearing === "lost") {
        this.hear("polling");
      }
    } catch (error) {
      this.lose(error);
      throw error;
    }
    if (this.socket) {
      void this.asking.stop();
    } else {
      await Promise.all([...this.watched.keys()].map(id => this.show(id)));
    }
  }

  private async show(id: string): Promise<void> {
    try {
      this.tell(await this.client.run(id));
    } catch {
      // It is gone, which its row tells; or nobody answers, which `ask` notices.
    }
  }

  private tell(run: Run): void {
    for (const listener of [...(this.watched.get(run.row.id) ?? [])]) {
      listener(run);
    }
  }

  private hear(state: Hearing): void {
    if (this.hearing !== state && !this.disposed) {
      this.hearing = state;
      this._stateChanged.emit(state);
    }
  }
}
