import type { TranslationBundle } from "@jupyterlab/translation";
import { CommandRegistry } from "@lumino/commands";
import { Menu } from "@lumino/widgets";

import type { Filter } from "../model/filter.js";

export interface FilterMenu {
  trans: TranslationBundle;
  current: () => Filter;
  /** The notebook in front, as runs name it; "" where there is none. */
  notebook: () => string;
  /** The modes of the runs that are known. */
  modes: () => string[];
  seek: (filter: Filter) => void;
}

/** What the button says: the state that is shown, or what else the runs are narrowed to. */
export function label(filter: Filter, trans: TranslationBundle): string {
  const words = [filter.state ? states(trans)[filter.state] ?? filter.state : "", filter.mode];
  if (filter.notebook) {
    words.push(trans.__("this notebook"));
  }
  return words.filter(Boolean).join(", ") || trans.__("All");
}

function states(trans: TranslationBundle): Record<string, string> {
  return {
    "": trans.__("All runs"),
    live: trans.__("Live"),
    succeeded: trans.__("Succeeded"),
    failed: trans.__("Failed"),
    cancelled: trans.__("Cancelled"),
    lost: trans.__("Lost")
  };
}

/** Opens the menu of filters below its button. */
export function openFilters(button: HTMLElement, options: FilterMenu): void {
  const { trans, current, seek } = options;
  const commands = new CommandRegistry();
  const menu = new Menu({ commands });
  menu.addClass("jp-Jobq-filters");
  const add = (name: string, text: string, on: () => boolean, next: () => Partial<Filter>): void => {
    commands.addCommand(name, {
      label: text,
      isToggled: on,
      isToggleable: true,
      execute: () => seek({ ...current(), ...next() })
    });
    menu.addItem({ command: name });
  };
  for (const [state, text] of Object.entries(states(trans))) {
    add(`state:${state}`, text, () => current().state === state, () => ({ state }));
  }
  const modes = options.modes();
  if (modes.length > 1 || current().mode) {
    menu.addItem({ type: "separator" });
    for (const mode of modes) {
      const on = () => current().mode === mode;
      add(`mode:${mode}`, mode, on, () => ({ mode: on() ? "" : mode }));
    }
  }
  const notebook = options.notebook() || current().notebook;
  if (notebook) {
    menu.addItem({ type: "separator" });
    const on = () => current().notebook !== "";
    add("notebook", trans.__("Only this notebook"), on, () => ({ notebook: on() ? "" : notebook }));
  }
  menu.aboutToClose.connect(() => {
    button.setAttribute("aria-expanded", "false");
    button.focus();
  });
  button.setAttribute("aria-expanded", "true");
  const { left, bottom } = button.getBoundingClientRect();
  menu.open(left, bottom);
}
