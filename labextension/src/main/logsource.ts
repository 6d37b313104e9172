/** The log of a run as the server has it. */
import { Client, path, type LogPage } from "../api/index.js";
import type { Found } from "./find.js";
import type { LogNews, LogSource } from "./logmodel.js";

const numeric = (flag: boolean | undefined): number | null => (flag ? 1 : null);

export function logSource(client: Client, id: string): LogSource {
  return {
    page: ({ errors, ...query }, signal) =>
      client.get<LogPage>(path(id, "log"), { ...query, errors: numeric(errors) }, { signal, cache: "no-store" }),
    find: ({ regex, case: exact, backwards, errors, ...query }, signal) =>
      client.get<Found>(
        path(id, "log/find"),
        {
          ...query,
          regex: numeric(regex),
          case: numeric(exact),
          backwards: numeric(backwards),
          errors: numeric(errors)
        },
        { signal, cache: "no-store" }
      ),
    follow: ({ errors, ...query }, news, ended) => {
      const socket = client.socket(path(id, "log/follow"), { ...query, errors: numeric(errors) });
      socket.onmessage = event => news(JSON.parse(String(event.data)) as LogNews);
      socket.onclose = () => ended();
      return {
        dispose: () => {
          socket.onmessage = socket.onclose = null;
          socket.close();
        }
      };
    }
  };
}
