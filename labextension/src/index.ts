import { mend } from "./plugins/mend.js";
import { notify } from "./plugins/notify.js";
import { runs } from "./plugins/runs.js";
import { sidebar } from "./plugins/sidebar.js";
import { status } from "./plugins/status.js";

export default [runs, sidebar, status, notify, mend];
