/** How many runs are in each phase, and how many are live. */
export type Counts = Record<string, number>;
