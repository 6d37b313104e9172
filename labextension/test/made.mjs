/* Rows as the server tells them, and words as they are written. */

export const trans = {
  __: (text, ...values) => text.replace(/%(\d)/g, (_, place) => String(values[place - 1])),
  _n: (one, many, number) => (number === 1 ? one : many).replace("%1", String(number))
};

/** A row; what is not said of it is as of a run that has just begun. */
export function row(id, more = {}) {
  return {
    id,
    name: id,
    mode: "local",
    where: "this machine",
    phase: "running",
    sentence: "The cell is running",
    created: 1000,
    began: null,
    ended: null,
    seconds: null,
    progress: null,
    position: null,
    workers: null,
    attempt: 1,
    notebook: null,
    cell_id: null,
    labels: {},
    error: "",
    dashboard: false,
    ...more
  };
}

export const done = (id, more = {}) => row(id, { phase: "succeeded", sentence: "Done", ...more });
