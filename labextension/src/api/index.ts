export * from "./changes.js";
export * from "./client.js";
export * from "./problem.js";
export * from "./extra.js";
export * from "./types.js";
