import type { INotebookTracker } from "@jupyterlab/notebook";
import type { CommandRegistry } from "@lumino/commands";
import type { Message } from "@lumino/messaging";
import { PanelLayout, Widget } from "@lumino/widgets";

import { jobqIcon } from "../icons.js";
import type { IJobq } from "../tokens.js";
import type { SidebarView } from "./view.js";

export interface SidebarOptions {
  jobq: IJobq;
  commands: CommandRegistry;
  notebooks: INotebookTracker | null;
}

/** The place of the sidebar. What it shows is loaded when it is looked at. */
export class Sidebar extends Widget {
  private view: SidebarView | null = null;
  private loading: Promise<SidebarView> | null = null;
  private wanted = "";
  private searching = false;
  private _quota = true;

  constructor(private readonly options: SidebarOptions) {
    super();
    const { trans } = options.jobq;
    this.id = "jobq-runs";
    this.title.icon = jobqIcon;
    this.title.caption = trans.__("Runs");
    this.addClass("jp-Jobq-sidebar");
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", trans.__("Runs"));
    this.layout = new PanelLayout();
  }

  /** The run that is chosen, or "". */
  get chosen(): string {
    return this.view?.chosen ?? this.wanted;
  }

  choose(id: string): void {
    this.wanted = id;
    this.view?.choose(id);
  }

  /** Whether the quota is shown. */
  set quota(shown: boolean) {
    this._quota = shown;
    if (this.view) {
      this.view.quota = shown;
    }
  }

  /** Takes the keyboard to the search, now and when the sidebar comes to the front for it. */
  search(): void {
    this.searching = true;
    void this.load().then(view => view.search());
  }

  protected override onAfterShow(_: Message): void {
    void this.load();
  }

  protected override onActivateRequest(_: Message): void {
    const { searching } = this;
    this.searching = false;
    void this.load().then(view => (searching ? view.search() : view.focus()));
  }

  private load(): Promise<SidebarView> {
    this.loading ??= import("./view.js").then(({ SidebarView }) => {
      const view = new SidebarView(this.options);
      view.quota = this._quota;
      view.choose(this.wanted);
      (this.layout as PanelLayout).addWidget(view);
      this.view = view;
      return view;
    });
    return this.loading;
  }
}
