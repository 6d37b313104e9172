/* What the server tells, as in its OpenAPI document. */

export type Phase =
  | "capturing"
  | "building"
  | "submitting"
  | "queued"
  | "starting"
  | "running"
  | "collecting"
  | "stopping"
  | "paused"
  | "succeeded"
  | "failed"
  | "cancelled"
  | "lost";

export interface About {
  version: string;
  api: number;
  store: string;
  host: string;
  user: string;
  reads_only: boolean;
}

export interface Row {
  id: string;
  name: string;
  mode: string;
  where: string;
  phase: Phase;
  sentence: string;
  created: number;
  began: number | null;
  ended: number | null;
  seconds: number | null;
  progress: { done: number; total: number | null; label: string } | null;
  position: { at: number | null; of: number | null; queue: string } | null;
  workers: { up: number; wanted: number } | null;
  attempt: number;
  notebook: string | null;
  cell_id: string | null;
  labels: Record<string, string>;
  error: string;
  dashboard: boolean;
}

export type Counts = Record<string, number>;

export interface Listing {
  rows: Row[];
  next: string | null;
  counts: Counts;
  total: number;
  version: string;
}

export interface Run {
  row: Row;
  snapshot: Record<string, unknown>;
  words: { sentence: string; advice: string };
  crew: Record<string, unknown>[];
  timeline: { phase: string; at: number; until: number | null; attempt: number }[];
  notes: string[];
  links: { rel: string; title: string; href: string }[];
  log: { lines: number | null; bytes: number; sources: string[] };
  notebook: { path: string; cell_id: string | null; cell_index: number | null } | null;
  can: { stop: boolean; pause: boolean; resume: boolean; rerun: boolean; delete: boolean };
  source: string;
}

export interface Changed {
  kind: "changed";
  version: string;
  rows: Row[];
  gone: string[];
  counts: Counts;
}

export interface LogLine {
  n: number;
  at: number | null;
  source: string;
  stream: string;
  text: string;
}

export interface LogPage {
  first: number;
  total: number;
  complete: boolean;
  generation: string;
  lines: LogLine[];
}

export interface LogHits {
  total: number | null;
  hits: { n: number; spans: [number, number][] }[];
  next: number | null;
}

export interface Queue {
  profile: string;
  where: string;
  queue: string;
  cluster_queue: string;
  resources: {
    resource: string;
    flavor: string;
    used: number | null;
    mine: number | null;
    total: number | null;
    most: number | null;
    free: number | null;
  }[];
  waiting: number | null;
  open: boolean;
  unknown: string;
  pending: boolean;
  at: number | null;
}

export interface Queues {
  queues: Queue[];
  pending: boolean;
}
