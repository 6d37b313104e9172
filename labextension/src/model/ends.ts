import type { Row } from "../api/types.js";
import { final } from "../phases.js";

/** Notices the end of each run that was seen alive, once. */
export class Ends {
  private readonly live = new Set<string>();

  /** Those among the rows that were live when they were seen last, and are not now. */
  seen(rows: Iterable<Row>): Row[] {
    const ended: Row[] = [];
    for (const row of rows) {
      if (!final(row.phase)) {
        this.live.add(row.id);
      } else if (this.live.delete(row.id)) {
        ended.push(row);
      }
    }
    return ended;
  }
}
