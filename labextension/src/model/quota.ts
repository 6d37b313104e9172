import type { TranslationBundle } from "@jupyterlab/translation";

import type { Queue, Queues } from "../api/types.js";
import { count, size } from "../format.js";

/** One line of the footer: what of one resource of one queue is in use. */
export interface QuotaLine {
  readonly title: string;
  readonly words: string;
  readonly mine: number;
  readonly others: number;
  /** The whole, for who points at it. */
  readonly tip: string;
}

/** What there is to show of the queues: their resources, of GPUs first; queues that cannot be asked have one line each. */
export function quotaLines(queues: Queues, trans: TranslationBundle, most = 6): { lines: QuotaLine[]; more: number } {
  const seen = new Set<string>();
  const lines: (QuotaLine & { order: number })[] = [];
  for (const queue of queues.queues) {
    for (const share of queue.resources) {
      const key = [queue.where, queue.cluster_queue || queue.queue, share.resource, share.flavor].join("\n");
      if (!share.total || share.used === null || seen.has(key)) {
        continue; // two profiles may name the same queue
      }
      seen.add(key);
      const [used, mine] = [share.used, Math.min(share.used, share.mine ?? 0)];
      const part = (value: number) => Math.max(0, Math.min(1, value / share.total!));
      const written = (value: number) => amount(share.resource, value);
      lines.push({
        title: `${queue.queue} ${name(share.resource, trans)}`,
        words: trans.__("%1 of %2", written(used), written(share.total)),
        mine: part(mine),
        others: part(used) - part(mine),
        tip: tip(queue, share.flavor, written(mine), trans),
        order: share.resource.endsWith("/gpu") ? 0 : share.resource === "cpu" ? 1 : 2
      });
    }
  }
  lines.sort((one, other) => one.order - other.order);
  return { lines: lines.slice(0, most), more: Math.max(0, lines.length - most) };
}

function name(resource: string, trans: TranslationBundle): string {
  if (resource.endsWith("/gpu")) {
    return trans.__("GPU");
  }
  return resource === "cpu" ? trans.__("CPU") : resource === "memory" ? trans.__("memory") : resource;
}

function amount(resource: string, value: number): string {
  return /memory|storage|hugepages/.test(resource) ? size(value) : count(value);
}

function tip(queue: Queue, flavor: string, mine: string, trans: TranslationBundle): string {
  const told = trans.__("%1: %2, %3: %4 of it by you", queue.where, queue.cluster_queue || queue.queue, flavor, mine);
  return queue.waiting ? `${told}, ${trans.__("%1 waiting", queue.waiting)}` : told;
}
