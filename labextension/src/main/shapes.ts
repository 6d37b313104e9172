/** What a run's own views read of the server's answers; what a newer one tells besides is left alone. */
import type { Run } from "../api/index.js";

export interface Member {
  name: string;
  rank: number | null;
  phase: string;
  state: string;
  pod: string;
  node: string;
  sentence: string;
  cpu: number | null;
  cpus: number | null;
  memory: number | null;
  memory_most: number | null;
  peak: number | null;
  gpu: number | null;
  gpus: number | null;
  cpu_history: number[];
  memory_history: number[];
  tasks: number | null;
}

interface Quota {
  resource: string;
  flavor: string;
  asked: number;
  free: number | null;
  most: number | null;
  total: number | null;
}

export interface Place {
  queue: string;
  cluster_queue: string;
  position: number | null;
  waiting: number | null;
  ahead: string[];
  estimate: number | null;
  quota: Quota[];
  unknown: string;
}

export interface Snapshot {
  run: string;
  where: string;
  mode: string;
  place: Place | null;
  image: { reference: string; layers: Layer[]; sent: number; seconds: number } | null;
  progress: { label: string; done: number; total: number | null; unit: string }[];
  before: { reason: string } | null;
  workers: number | null;
}

export interface Layer {
  kind: string;
  name: string;
  size: number;
  state: string;
}

export interface Travelled {
  shipped: string;
  account: {
    travellers: { name: string; kind: string; why: string; size: number | null; origin: string; digest: string }[];
    requirements: { name: string; version: string; source: string; origin: string; why: string }[];
    stayed: { name: string; why: string }[];
    notes: string[];
  };
}

export interface Image {
  reference: string;
  base: string;
  layers: Layer[];
  sent: number;
  seconds: number;
  notes: string[];
}

export interface Manifests {
  manifests: { kind: string; name: string; yaml: string }[];
  why: string;
}

export type Bundle = Record<string, unknown>;

export interface Result {
  sentence: string;
  advice: string;
  value: Bundle | null;
  metadata?: Bundle;
  names: Record<string, number>;
  changed: Record<string, number>;
  skipped: { name: string; reason: string; advice: string }[];
  error: string;
  displays: number;
}

export interface Display {
  place: number;
  data: Bundle;
  metadata: Bundle;
  source: string;
}

export interface Displays {
  version: string;
  total: number;
  displays: Display[];
  dropped: number;
  behind: boolean;
  complete: boolean;
}

export type Option = { name: string; value: string };

export const crew = (run: Run): Member[] => run.crew as unknown as Member[];
export const snapshot = (run: Run): Snapshot => run.snapshot as unknown as Snapshot;
export const options = (run: Run): Option[] => (run as unknown as { options?: Option[] }).options ?? [];
