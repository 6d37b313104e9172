/**
 * Whether a log sticks to its end. Pure.
 *
 * It does from the beginning where a run is live; it lets go when a person goes up, and sticks again when the end is
 * reached, or asked for.
 */
export class Follow {
  constructor(public following: boolean) {}

  /** How many lines came while it did not stick. */
  get news(): number {
    return this.following ? 0 : Math.max(0, this._total - this._seen);
  }

  /** There are so many lines now; whether to go to the end. */
  grew(total: number): boolean {
    this._total = total;
    if (this.following) {
      this._seen = total;
    }
    return this.following;
  }

  /** A person moved, and the end is in sight now, or is not. */
  moved(atEnd: boolean): void {
    this.following = atEnd;
    if (atEnd) {
      this._seen = this._total;
    }
  }

  /** A person asked for it, or asked it to stop. */
  set(following: boolean): void {
    this.following = following;
    this._seen = this._total;
  }

  /** Another log, or another filter. */
  reset(): void {
    this._seen = this._total = 0;
  }

  private _seen = 0;
  private _total = 0;
}
