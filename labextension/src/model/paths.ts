/* How kernels name notebooks, and how JupyterLab does. Pure. */

/**
 * The path below the server's root that JupyterLab knows a notebook by.
 *
 * @param root - of the server; its home is written `~`, and where that is nobody says: a person's, in a folder of homes.
 */
export function served(notebook: string, root: string): string {
  const folder = root.replace(/\/+$/, "");
  const whole = folder.startsWith("~") ? (home(notebook) ?? "\0") + folder.slice(1) : folder;
  return notebook.startsWith(`${whole}/`) ? notebook.slice(whole.length + 1) : notebook.replace(/^\/+/, "");
}

/** Whether a notebook that JupyterLab knows by a path is the one that a run names. */
export function same(path: string, notebook: string, root: string): boolean {
  const own = path.replace(/^[A-Za-z]+:/, ""); // a drive of the collaboration extension
  if (own === notebook || own === served(notebook, root)) {
    return true;
  }
  return root.startsWith("~") && notebook.endsWith(`${root.slice(1).replace(/\/+$/, "")}/${own}`);
}

function home(path: string): string | undefined {
  return /^\/root(?=\/)|^\/[^/]+\/[^/]+(?=\/)/.exec(path)?.[0];
}
