/** How many runs are in each phase, and how many are live. */
export type Counts = Record<string, number>;

export interface LogLine {
  n: number;
  at: number | null;
  source: string;
  stream: string;
  text: string;
}

export interface LogPage {
  generation: string;
  first: number;
  total: number;
  firm: number;
  complete: boolean;
  ended: boolean;
  lines: LogLine[];
}

export interface LogHits {
  generation: string;
  total: number | null;
  before: number | null;
  looked: number;
  hits: { n: number; at: number; spans: [number, number][] }[];
  next: number | null;
}
