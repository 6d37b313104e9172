"use strict";(self.rspackChunkjobq_magic=self.rspackChunkjobq_magic||[]).push([[828],{856(o,r,e){var n=e(601),p=e.n(n),a=e(314),t=(e.n(a))()(p());t.push([o.id,`/* The sidebar, the status bar, mended cells. Colours are JupyterLab's own; each theme has its own values of them. */

.jp-mod-jobq-busy {
  --jp-jobq-color: var(--jp-brand-color1);
}

.jp-mod-jobq-wait {
  --jp-jobq-color: var(--jp-warn-color0);
}

.jp-mod-jobq-good {
  --jp-jobq-color: var(--jp-success-color1);
}

.jp-mod-jobq-bad {
  --jp-jobq-color: var(--jp-error-color1);
}

.jp-mod-jobq-quiet {
  --jp-jobq-color: var(--jp-ui-font-color2);
}

.jp-Jobq-icon {
  width: 13px;
  height: 13px;
  color: var(--jp-jobq-color);
  flex: none;
}

.jp-jobq-lines {
  fill: none;
  stroke: var(--jp-inverse-layout-color3);
}

.jp-SideBar .lm-mod-current .jp-jobq-lines {
  stroke: var(--jp-brand-color1);
}

/* --- the sidebar --- */

.jp-Jobq-sidebar {
  min-width: 220px;
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font-size: var(--jp-ui-font-size1);
  line-height: 1.4;
}

.jp-Jobq-view {
  display: flex;
  flex-direction: column;
  height: 100%;
}

.jp-Jobq-view [hidden] {
  display: none;
}

.jp-Jobq-tools {
  display: flex;
  gap: 8px;
  padding: 8px;
  border-bottom: var(--jp-border-width) solid var(--jp-border-color2);
}

/* Twice, to come before what JupyterLab says of every button. */
.jp-Jobq-view.jp-Jobq-view input,
.jp-Jobq-view.jp-Jobq-view button {
  height: 26px;
  padding: 0 8px;
  border: var(--jp-border-width) solid var(--jp-border-color1);
  border-radius: var(--jp-border-radius);
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font: inherit;
  box-sizing: border-box;
}

.jp-Jobq-view.jp-Jobq-view button {
  cursor: pointer;
  white-space: nowrap;
}

.jp-Jobq-view.jp-Jobq-view button:hover {
  background: var(--jp-layout-color2);
}

.jp-Jobq-view input:focus-visible,
.jp-Jobq-view button:focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: -1px;
}

.jp-Jobq-search {
  flex: 1;
  min-width: 0;
}

.jp-Jobq-search::placeholder {
  color: var(--jp-ui-font-color2);
  opacity: 1;
}

.jp-Jobq-filter {
  max-width: 45%;
  overflow: hidden;
  text-overflow: ellipsis;
}

.jp-Jobq-filter::after {
  content: "▾" / "";
  margin-left: 5px;
  color: var(--jp-ui-font-color2);
}

.jp-Jobq-list {
  flex: 1;
  min-height: 0;
  overflow: hidden auto;
  overflow-anchor: none;
  outline: none;
}

.jp-Jobq-all {
  position: relative;
  overflow: hidden;
}

.jp-Jobq-head {
  position: absolute;
  left: 0;
  right: 0;
  height: 30px;
  padding: 10px 10px 0;
  box-sizing: border-box;
  display: flex;
  justify-content: space-between;
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
  font-weight: 600;
  letter-spacing: 0.04em;
  text-transform: uppercase;
}

.jp-Jobq-row {
  position: absolute;
  left: 0;
  right: 0;
  padding: 5px 10px 0;
  box-sizing: border-box;
  display: grid;
  grid-template-columns: 16px minmax(0, 1fr) auto;
  grid-auto-rows: min-content;
  gap: 1px 8px;
  align-items: center;
  cursor: pointer;
}

.jp-Jobq-row:hover {
  background: var(--jp-layout-color2);
}

.jp-Jobq-row[aria-selected="true"] {
  background: color-mix(in srgb, var(--jp-brand-color1) 12%, var(--jp-layout-color1));
  box-shadow: inset 2px 0 var(--jp-brand-color1);
}

.jp-Jobq-list:focus-visible .jp-Jobq-row[aria-selected="true"] {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: -2px;
}

.jp-Jobq-list:focus-visible:not([aria-activedescendant]) {
  box-shadow: inset 0 0 0 2px var(--jp-brand-color1);
}

.jp-Jobq-sign {
  display: flex;
}

.jp-Jobq-row b,
.jp-Jobq-told {
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
  unicode-bidi: isolate;
}

.jp-Jobq-row b {
  font-weight: 600;
}

.jp-Jobq-number {
  color: var(--jp-ui-font-color2);
  font-size: var(--jp-ui-font-size0);
  font-variant-numeric: tabular-nums;
}

.jp-Jobq-told {
  grid-column: 2 / 4;
  color: var(--jp-ui-font-color2);
  font-size: 12px;
}

.jp-Jobq-bar {
  grid-column: 2 / 4;
  height: 4px;
  margin-top: 2px;
  border-radius: 2px;
  background: color-mix(in srgb, var(--jp-ui-font-color1) 13%, transparent);
  overflow: hidden;
}

.jp-Jobq-bar i {
  display: block;
  height: 100%;
  border-radius: 2px;
  background: var(--jp-brand-color1);
  transition: width 0.3s;
}

/* --- what there is to say --- */

.jp-Jobq-notice:not(:empty) {
  padding: 16px 12px;
}

.jp-Jobq-notice.jp-mod-above:not(:empty) {
  padding: 8px 10px;
  border-bottom: var(--jp-border-width) solid var(--jp-border-color2);
  background: var(--jp-layout-color2);
}

.jp-Jobq-notice p {
  margin: 0 0 8px;
  overflow-wrap: anywhere;
}

.jp-Jobq-command {
  display: flex;
  gap: 8px;
  align-items: center;
  margin: 0 0 10px;
}

.jp-Jobq-command code {
  flex: 1;
  min-width: 0;
  padding: 4px 8px;
  border-radius: var(--jp-border-radius);
  background: var(--jp-layout-color2);
  color: var(--jp-ui-font-color1);
  font-family: var(--jp-code-font-family);
  font-size: 12px;
  overflow-wrap: anywhere;
}

.jp-Jobq-spoken {
  position: absolute;
  width: 1px;
  height: 1px;
  overflow: hidden;
  clip-path: inset(50%);
}

/* --- quota --- */

.jp-Jobq-quota {
  display: grid;
  grid-template-columns: fit-content(45%) minmax(30px, 1fr) max-content;
  gap: 6px 8px;
  padding: 8px 10px;
  border-top: var(--jp-border-width) solid var(--jp-border-color2);
  font-size: 12px;
}

.jp-Jobq-share {
  display: grid;
  grid-column: 1 / -1;
  grid-template-columns: subgrid;
  align-items: center;
}

.jp-Jobq-quota > .jp-Jobq-number {
  grid-column: 1 / -1;
}

.jp-Jobq-share > span {
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.jp-Jobq-share > :last-child {
  text-align: right;
}

.jp-Jobq-share div {
  display: flex;
  height: 6px;
  border-radius: 3px;
  background: color-mix(in srgb, var(--jp-ui-font-color1) 13%, transparent);
  overflow: hidden;
}

.jp-Jobq-share i {
  background: color-mix(in srgb, var(--jp-brand-color1) 50%, var(--jp-layout-color1));
}

.jp-Jobq-share .jp-mod-mine {
  background: var(--jp-brand-color1);
}

/* --- elsewhere --- */

.jp-Jobq-statusItem {
  display: flex;
}

.jp-Jobq-statusItem .jp-Jobq-status {
  padding: 0 4px;
  border: 0;
  border-radius: 0;
  background: none;
  color: var(--jp-ui-font-color1);
  font: inherit;
  font-size: var(--jp-ui-font-size1);
  line-height: inherit;
  cursor: pointer;
}

.jp-Jobq-status:hover {
  background: var(--jp-layout-color3);
}

@keyframes jp-jobq-shown {
  from {
    background: color-mix(in srgb, var(--jp-brand-color1) 25%, transparent);
  }
}

.jp-mod-jobq-shown {
  animation: jp-jobq-shown 1.5s ease-out;
}

@media (prefers-reduced-motion: reduce) {
  .jp-Jobq-bar i {
    transition: none;
  }

  .jp-mod-jobq-shown {
    animation: none;
  }
}

@media (forced-colors: active) {
  .jp-Jobq-row[aria-selected="true"] {
    outline: 2px solid Highlight;
    outline-offset: -2px;
  }

  .jp-Jobq-bar i,
  .jp-Jobq-share i {
    background: Highlight;
  }
}

/* --- panels whose kernel is gone --- */

.jp-mod-jobq-covered.jp-mod-jobq-covered {
  display: none;
}

.jp-Jobq-mended .jq {
  border-radius: 6px 6px 0 0;
}

.jp-Jobq-mendedBar {
  display: flex;
  justify-content: flex-end;
  gap: 8px;
  padding: 6px 12px;
  border: var(--jp-border-width) solid var(--jp-border-color2);
  border-top: 0;
  border-radius: 0 0 6px 6px;
}

.jp-Jobq-mended .jp-Jobq-mendedBar button {
  padding: 1px 10px;
  border: var(--jp-border-width) solid var(--jp-border-color2);
  border-radius: 4px;
  background: var(--jp-layout-color1);
  color: var(--jp-ui-font-color1);
  font: 12px/1.6 var(--jp-ui-font-family);
  cursor: pointer;
}
`,""]),e.d(r,{},{A:t})},643(o,r,e){var n=e(601),p=e.n(n),a=e(314),t=(e.n(a))()(p());t.push([o.id,`/* A run in the main area. Colours are JupyterLab's own; where a terminal's colours are meant, each is given for light and dark. */

.jp-JobqRun {
  --jobq-line: var(--jp-border-color2);
  --jobq-mute: var(--jp-ui-font-color2);
  --jobq-soft: var(--jp-layout-color2);
  color: var(--jp-ui-font-color1);
  background: var(--jp-layout-color1);
  font-family: var(--jp-ui-font-family);
  font-size: var(--jp-ui-font-size1);
  line-height: 1.45;
  display: flex;
  flex-direction: column;
  container: jobq-run / inline-size;
  color-scheme: light;
}

[data-jp-theme-light="false"] .jp-JobqRun {
  color-scheme: dark;
}

.jp-JobqRun [hidden] {
  display: none !important;
}

.jp-JobqRun-top {
  flex: none;
}

.jp-JobqRun:focus {
  outline: none;
}

.jp-JobqRun :focus-visible {
  outline: 2px solid var(--jp-brand-color1);
  outline-offset: -2px;
}

/* --- header --- */

.jp-JobqRun-header {
  display: flex;
  flex-wrap: wrap;
  gap: 6px 16px;
  align-items: center;
  padding: 12px 16px 8px;
}

.jp-JobqRun-title {
  display: flex;
  flex-wrap: wrap;
  gap: 0 12px;
  align-items: baseline;
  flex: 1 1 260px;
  min-width: 0;
}

.jp-JobqRun-title > * {
  min-width: 0;
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.jp-JobqRun-phase {
  color: var(--jp-jobq-color);
  font-weight: 600;
  flex: none;
}

.jp-JobqRun-phase .jp-Jobq-icon {
  margin-right: 6px;
  vertical-align: -2px;
}

h2.jp-JobqRun-name {
  margin: 0;
  font-size: var(--jp-ui-font-size2);
  font-weight: 600;
  max-width: 100%;
}

.jp-JobqRun-clock {
  font-variant-numeric: tabular-nums;
}

.jp-JobqRun-place,
.jp-JobqRun-clock {
  color: var(--jobq-mute);
}

.jp-JobqRun-acts {
  display: flex;
  flex-wrap: wrap;
  gap: 6px;
}

.jp-JobqRun .jp-JobqRun-button {
  font: inherit;
  font-size: var(--jp-ui-font-size1);
  line-height: 20px;
  color: var(--jp-ui-font-color1);
  background: var(--jp-layout-color1);
  border: 1px solid var(--jp-border-color1);
  border-radius: 4px;
  padding: 1px 10px;
  cursor: pointer;
  text-decoration: none;
  white-space: nowrap;
}

.jp-JobqRun .jp-JobqRun-button:hover {
  background: var(--jp-layout-color2);
}

.jp-JobqRun .jp-JobqRun-button:active {
  background: var(--jp-layout-color3);
}

.jp-JobqRun .jp-JobqRun-button:disabled {
  opacity: 0.6;
  cursor: default;
}

.jp-JobqRun-caret {
  width: 12px;
  height: 12px;
  margin: 0 -3px 0 4px;
  vertical-align: -2px;
}

.jp-JobqRun-banner {
  margin: 0 16px 8px;
  padding: 6px 10px;
  border-left: 3px solid var(--jp-warn-color1);
  background: var(--jobq-soft);
}

/* --- tabs --- */

.jp-JobqRun-tabs {
  display: flex;
  gap: 2px;
  padding: 0 12px;
  border-bottom: 1px solid var(--jobq-line);
  overflow-x: auto;
  scrollbar-width: none;
}

.jp-JobqRun .jp-JobqRun-tab {
  font: inherit;
  color: var(--jobq-mute);
  background: none;
  border: 0;
  border-radius: 0;
  padding: 7px 12px 8px;
  cursor: pointer;
  white-space: nowrap;
}

.jp-JobqRun .jp-JobqRun-tab:hover {
  color: var(--jp-ui-font-color1);
}

.jp-JobqRun .jp-JobqRun-tab.jp-mod-current {
  color: var(--jp-ui-font-color1);
  font-weight: 600;
  box-shadow: inset 0 -2px var(--jp-brand-color1);
}

.jp-JobqRun-body {
  flex: 1;
  min-height: 0;
  position: relative;
  display: flex;
  flex-direction: column;
}

.jp-JobqRun-body > .lm-Widget {
  flex: 1;
  min-height: 0;
  overflow: auto;
}

.jp-JobqRun-body > .lm-Widget.lm-mod-hidden {
  display: none;
}

.jp-JobqRun-empty {
  padding: 40px 24px;
  text-align: center;
  color: var(--jobq-mute);
  overflow-wrap: anywhere;
}

.jp-JobqRun-empty p {
  margin: 0 0 10px;
}

/* --- overview and result --- */

.jp-JobqRun-body > .jp-JobqRun-overview,
.jp-JobqRun-body > .jp-JobqRun-result {
  padding: 12px 16px 32px;
}

.jp-JobqRun-overview > div,
.jp-JobqRun-result > * {
  max-width: 1100px;
}

.jp-JobqRun-said p {
  margin: 0;
  overflow-wrap: anywhere;
}

.jp-JobqRun-said p:first-child {
  font-weight: 600;
}

.jp-JobqRun .jp-JobqRun-advice {
  color: var(--jobq-mute);
  font-weight: 400;
  margin: 2px 0;
}

.jp-JobqRun-section {
  margin-top: 18px;
  min-width: 0;
}

.jp-JobqRun h3 {
  margin: 0 0 6px;
  font-size: var(--jp-ui-font-size1);
  font-weight: 600;
  display: flex;
  flex-wrap: wrap;
  gap: 0 10px;
  align-items: baseline;
}

.jp-JobqRun-beside {
  font-weight: 400;
  color: var(--jobq-mute);
  font-variant-numeric: tabular-nums;
  min-width: 0;
  overflow-wrap: anywhere;
}

.jp-JobqRun-section p {
  margin: 0 0 6px;
}

.jp-JobqRun-attempt + .jp-JobqRun-attempt {
  margin-top: 8px;
}

.jp-JobqRun-attemptname {
  font-size: var(--jp-ui-font-size0);
  color: var(--jobq-mute);
}

.jp-JobqRun-timeline {
  display: flex;
  height: 5px;
  gap: 2px;
  min-width: 24px;
}

.jp-JobqRun-timeline i {
  flex: 1 1 0;
  min-width: 3px;
  border-radius: 2px;
  background: var(--jp-jobq-color);
}

.jp-JobqRun-timeline i.jp-mod-jobq-quiet {
  background: var(--jp-border-color0, var(--jp-jobq-color));
}

.jp-JobqRun-timeline i.jp-mod-running {
  background: var(--jp-brand-color1);
}

.jp-JobqRun-timeline i.jp-mod-going {
  background: linear-gradient(90deg, var(--jp-jobq-color) calc(100% - 24px), transparent 150%);
}

.jp-JobqRun-times {
  display: flex;
  flex-wrap: wrap;
  gap: 2px 16px;
  list-style: none;
  margin: 5px 0 0;
  padding: 0;
  font-size: var(--jp-ui-font-size0);
  color: var(--jobq-mute);
  font-variant-numeric: tabular-nums;
}

.jp-JobqRun-times b {
  color: var(--jp-ui-font-color1);
  font-weight: 500;
}

.jp-JobqRun-bars {
  margin-top: 12px;
  display: grid;
  gap: 6px;
}

.jp-JobqRun-barrow {
  display: flex;
  flex-wrap: wrap;
  gap: 2px 10px;
  align-items: center;
  font-variant-numeric: tabular-nums;
}

.jp-JobqRun .jp-JobqRun-bar {
  flex: 1 1 120px;
  height: 6px;
  border-radius: 3px;
  background: var(--jobq-soft);
  overflow: hidden;
}

.jp-JobqRun .jp-JobqRun-bar i {
  display: block;
  height: 100%;
  background: var(--jp-brand-color1);
}

.jp-JobqRun-workers {
  display: grid;
  grid-template-columns: repeat(auto-fill, minmax(min(230px, 100%), 1fr));
  gap: 8px;
  list-style: none;
  margin: 0;
  padding: 0;
}

.jp-JobqRun-worker {
  border: 1px solid var(--jobq-line);
  border-radius: 4px;
  padding: 6px 10px;
  min-width: 0;
}

.jp-JobqRun-workername {
  display: flex;
  gap: 6px;
  align-items: center;
}

.jp-JobqRun-workername b {
  font-weight: 600;
}

.jp-JobqRun-workername span {
  color: var(--jobq-mute);
  margin-left: auto;
}

.jp-JobqRun-where {
  color: var(--jobq-mute);
  font-size: var(--jp-ui-font-size0);
  overflow: hidden;
  text-overflow: ellipsis;
  white-space: nowrap;
}

.jp-JobqRun-wrong {
  color: var(--jp-error-color1);
  overflow-wrap: anywhere;
}

.jp-JobqRun-worker dl {
  display: grid;
  grid-template-columns: auto 1fr;
  gap: 2px 10px;
  margin: 4px 0 0;
  font-variant-numeric: tabular-nums;
}

.jp-JobqRun dt {
  color: var(--jobq-mute);
  font-weight: 400;
}

.jp-JobqRun dd {
  margin: 0;
  min-width: 0;
  overflow-wrap: anywhere;
}

.jp-JobqRun-worker dd {
  display: flex;
  gap: 8px;
  justify-content: flex-end;
  align-items: center;
  white-space: nowrap;
}

.jp-JobqRun-worker dd span {
  min-width: 4.6em;
  text-align: right;
}

.jp-JobqRun-spark {
  width: 72px;
  height: 18px;
  flex: none;
  color: var(--jp-brand-color1);
}

.jp-JobqRun-spark.jp-mod-memory {
  color: var(--jp-success-color1);
}

.jp-JobqRun-spark polyline {
  fill: none;
  stroke: currentColor;
  stroke-width: 1.4;
  vector-effect: non-scaling-stroke;
}

.jp-JobqRun-spark polygon {
  fill: currentColor;
  opacity: 0.15;
}

.jp-JobqRun-notes {
  margin: 0;
  padding-left: 18px;
  overflow-wrap: anywhere;
}

.jp-JobqRun-facts {
  display: grid;
  grid-template-columns: fit-content(40%) 1fr;
  gap: 3px 16px;
  margin: 0;
}

.jp-JobqRun code {
  font-family: var(--jp-code-font-family);
  font-size: var(--jp-code-font-size);
  color: inherit;
  background: none;
  padding: 0;
  overflow-wrap: anywhere;
}

.jp-JobqRun-copied {
  display: inline-flex;
  flex-wrap: wrap;
  gap: 2px 10px;
  align-items: baseline;
}

.jp-JobqRun-fit {
  overflow-x: auto;
  max-height: 420px;
  overflow-y: auto;
  margin: 0 0 6px;
}

.jp-JobqRun-fit table {
  border-collapse: collapse;
  min-width: 100%;
  font-size: var(--jp-ui-font-size1);
}

.jp-JobqRun-fit :is(td, th) {
  text-align: left;
  vertical-align: top;
  padding: 3px 16px 3px 0;
  border-bottom: 1px solid var(--jobq-line);
  max-width: 32em;
  overflow-wrap: break-word;
}

.jp-JobqRun-fit th {
  color: var(--jobq-mute);
  font-weight: 400;
  white-space: nowrap;
  position: sticky;
  top: 0;
  background: var(--jp-layout-color1);
}

.jp-JobqRun-fit :is(td, th).jp-mod-number {
  text-align: right;
  white-space: nowrap;
  font-variant-numeric: tabular-nums;
}

.jp-JobqRun-fit td code {
  overflow-wrap: normal;
  word-break: normal;
}

.jp-JobqRun-tag {
  border: 1px solid var(--jobq-line);
  border-radius: 9px;
  padding: 0 8px;
  font-size: var(--jp-ui-font-size0);
}

.jp-JobqRun-tag.jp-mod-pushed {
  border-color: var(--jp-brand-color1);
}

.jp-JobqRun details {
  margin: 4px 0;
}

.jp-JobqRun summary {
  cursor: pointer;
  color: var(--jobq-mute);
}

.jp-JobqRun pre.jp-JobqRun-code {
  margin: 0 0 6px;
  padding: 8px 12px;
  background: var(--jp-cell-editor-background);
  border: 1px solid var(--jobq-line);
  border-radius: 4px;
  font: var(--jp-code-font-size) / 1.5 var(--jp-code-font-family);
  color: var(--jp-content-font-color1);
  white-space: pre;
  overflow: auto;
  max-height: 480px;
}

.jp-JobqRun .jp-JobqRun-code code {
  overflow-wrap: normal;
}

.jp-JobqRun-displays > .jp-JobqRun-display + .jp-JobqRun-display {
  margin-top: 8px;
}

.jp-JobqRun-result .jp-RenderedHTMLCommon {
  overflow-x: auto;
  padding-right: 0;
}

.jp-JobqRun-result img {
  max-width: 100%;
}

.jp-JobqRun-picture {
  background: white;
}

.jp-JobqRun-apart {
  width: 100%;
  height: 440px;
  resize: vertical;
  border: 1px solid var(--jobq-line);
  border-radius: 4px;
  background: white;
}

.jp-JobqRun-offer {
  margin: 4px 0;
}

/* --- dashboard --- */

.jp-JobqRun-dashboard {
  display: flex;
  flex-direction: column;
}

.jp-JobqRun-framebar {
  display: flex;
  gap: 12px;
  justify-content: space-between;
  align-items: center;
  padding: 6px 16px;
  color: var(--jobq-mute);
  border-bottom: 1px solid var(--jobq-line);
}

.jp-JobqRun-frame {
  flex: 1;
  border: 0;
  width: 100%;
  background: white;
}

/* --- log --- */

.jp-JobqRun-body > .jp-JobqRun-log {
  display: flex;
  flex-direction: column;
  overflow: hidden;
}

.jp-JobqRun-body > .jp-JobqRun-log.lm-mod-hidden {
  display: none;
}

.jp-JobqRun-logbar {
  flex: none;
  display: flex;
  flex-wrap: wrap;
  gap: 6px 14px;
  align-items: center;
  padding: 6px 16px;
  border-bottom: 1px solid var(--jobq-line);
  color: var(--jobq-mute);
}

.jp-JobqRun-find,
.jp-JobqRun-logacts,
.jp-JobqRun-chips,
.jp-JobqRun-radios {
  display: flex;
  flex-wrap: wrap;
  gap: 4px 6px;
  align-items: center;
}

.jp-JobqRun-find {
  flex: 1 1 auto;
}

.jp-JobqRun .jp-JobqRun-find .jp-JobqRun-button {
  padding: 1px 6px;
  font-size: var(--jp-ui-font-size0);
}

.jp-JobqRun-logacts {
  gap: 4px 12px;
}

.jp-JobqRun .jp-JobqRun-input {
  font: inherit;
  color: var(--jp-ui-font-color1);
  background: var(--jp-layout-color1);
  border: 1px solid var(--jp-border-color1);
  border-radius: 4px;
  padding: 1px 8px;
  height: 24px;
  box-sizing: border-box;
  width: 170px;
  min-width: 90px;
  flex: 0 1 auto;
}

.jp-JobqRun .jp-JobqRun-input.jp-mod-wrong {
  border-color: var(--jp-error-color1);
}

.jp-JobqRun .jp-JobqRun-input.jp-JobqRun-goto {
  width: 64px;
  min-width: 64px;
}

.jp-JobqRun-count {
  font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere;
}

.jp-JobqRun-count.jp-mod-wrong {
  color: var(--jp-error-color1);
}

.jp-JobqRun .jp-JobqRun-toggle[aria-pressed="true"],
.jp-JobqRun .jp-JobqRun-chip.jp-mod-on {
  color: var(--jp-ui-font-color1);
  border-color: var(--jp-brand-color1);
  background: color-mix(in srgb, var(--jp-brand-color1) 16%, var(--jp-layout-color1));
}

.jp-JobqRun .jp-JobqRun-chip.jp-JobqRun-chip {
  border-radius: 11px;
  padding: 0 9px;
  line-height: 20px;
  font-size: var(--jp-ui-font-size0);
}

.jp-JobqRun-box {
  display: inline-flex;
  gap: 4px;
  align-items: center;
  cursor: pointer;
}

.jp-JobqRun-box input {
  margin: 0;
  accent-color: var(--jp-brand-color1);
}

.jp-JobqRun-logbody {
  position: relative;
  flex: 1;
  min-height: 60px;
}

.jp-JobqRun-lines {
  position: absolute;
  inset: 0;
  overflow: auto;
  overflow-anchor: none;
  background: var(--jp-layout-color1);
  contain: strict;
}

.jp-JobqRun-lines.jp-mod-wrap {
  overflow-x: hidden;
}

.jp-JobqRun-space {
  position: relative;
  width: max-content;
  min-width: 100%;
}

.jp-mod-wrap > .jp-JobqRun-space {
  width: 100%;
}

.jp-JobqRun-layer {
  position: sticky;
  top: 0;
  overflow-y: clip;
}

.jp-JobqRun-block {
  font: var(--jp-code-font-size) / 20px var(--jp-code-font-family);
  will-change: transform;
}

.jp-JobqRun-line {
  display: flex;
  height: 20px;
  white-space: pre;
  cursor: text;
}

.jp-mod-wrap .jp-JobqRun-line {
  height: auto;
  min-height: 20px;
}

.jp-JobqRun-line > :is(.jp-JobqRun-number, .jp-JobqRun-time, .jp-JobqRun-source) {
  flex: none;
  color: var(--jobq-mute);
  user-select: none;
  cursor: default;
}

.jp-JobqRun-number {
  min-width: 9ch;
  padding: 0 2ch 0 1ch;
  text-align: right;
  position: sticky;
  left: 0;
  background: var(--jp-layout-color1);
  border-left: 3px solid transparent;
  font-variant-numeric: tabular-nums;
}

.jp-JobqRun-time {
  width: 12ch;
  padding-right: 2ch;
}

.jp-JobqRun-line > .jp-JobqRun-source {
  width: 9ch;
  padding-right: 1ch;
  overflow: hidden;
  text-overflow: ellipsis;
  color: light-dark(#7a45d8, #c4a1ff);
}

.jp-JobqRun-text {
  flex: 1 0 auto;
  min-width: 0;
  padding-right: 16px;
  tab-size: 8;
  unicode-bidi: isolate;
  color: var(--jp-content-font-color1);
}

.jp-mod-wrap .jp-JobqRun-text {
  flex: 1 1 0;
  white-space: pre-wrap;
  overflow-wrap: anywhere;
}

.jp-JobqRun-line.jp-mod-error > .jp-JobqRun-number {
  border-left-color: var(--jp-error-color1);
}

.jp-JobqRun-line.jp-mod-alarm > .jp-JobqRun-text {
  color: light-dark(#b3261e, #ff8f86);
}

.jp-JobqRun-line.jp-mod-attempt > .jp-JobqRun-text,
.jp-JobqRun-line.jp-mod-awaited > .jp-JobqRun-text {
  color: var(--jobq-mute);
  font-style: italic;
}

.jp-JobqRun-line.jp-mod-awaited > .jp-JobqRun-text {
  padding-left: 24ch;
}

.jp-JobqRun-line.jp-mod-current,
.jp-JobqRun-line.jp-mod-current > .jp-JobqRun-number {
  background: color-mix(in srgb, var(--jp-brand-color1) 14%, var(--jp-layout-color1));
}

.jp-JobqRun-text mark {
  color: #1f2328;
  background: #ffe38a;
  border-radius: 2px;
}

.jp-mod-current .jp-JobqRun-text mark {
  background: #ffb454;
}

.jp-JobqRun .jp-JobqRun-more {
  font: inherit;
  color: var(--jp-content-link-color);
  background: none;
  border: 0;
  padding: 0 0 0 1ch;
  cursor: pointer;
}

.jp-JobqRun .jp-JobqRun-more:disabled {
  color: var(--jobq-mute);
  cursor: default;
}

.jp-JobqRun-logbody > .jp-JobqRun-empty {
  position: absolute;
  inset: 0;
  pointer-events: none;
}

.jp-JobqRun .jp-JobqRun-button.jp-JobqRun-news {
  position: absolute;
  bottom: 14px;
  left: 50%;
  transform: translateX(-50%);
  border-radius: 13px;
  padding: 2px 14px;
  color: var(--jp-ui-inverse-font-color1);
  background: var(--jp-inverse-layout-color2);
  border-color: transparent;
  box-shadow: var(--jp-elevation-z4);
}

.jp-JobqRun-logstatus {
  flex: none;
  padding: 2px 16px;
  border-top: 1px solid var(--jobq-line);
  color: var(--jobq-mute);
  font-size: var(--jp-ui-font-size0);
  font-variant-numeric: tabular-nums;
  min-height: 18px;
}

/* A terminal's colours, readable on light and on dark. */

.jp-JobqRun-b {
  font-weight: 600;
}

.jp-JobqRun-d {
  color: var(--jobq-mute);
}

.jp-JobqRun-i {
  font-style: italic;
}

.jp-JobqRun-u {
  text-decoration: underline;
}

.jp-JobqRun-v {
  color: var(--jp-layout-color1);
  background: var(--jp-content-font-color1);
}

.jp-JobqRun-own {
  color: light-dark(var(--jq-light), var(--jq-dark));
}

.jp-JobqRun-a0 { color: light-dark(#24292f, #9aa4ae); }
.jp-JobqRun-a1 { color: light-dark(#c21f2b, #ff7b72); }
.jp-JobqRun-a2 { color: light-dark(#187733, #3fb950); }
.jp-JobqRun-a3 { color: light-dark(#855900, #d29922); }
.jp-JobqRun-a4 { color: light-dark(#0860ca, #58a6ff); }
.jp-JobqRun-a5 { color: light-dark(#7a45d8, #bc8cff); }
.jp-JobqRun-a6 { color: light-dark(#1b7178, #39c5cf); }
.jp-JobqRun-a7 { color: light-dark(#59636e, #c9d1d9); }
.jp-JobqRun-a8 { color: light-dark(#57606a, #9aa4ae); }
.jp-JobqRun-a9 { color: light-dark(#a40e26, #ff938a); }
.jp-JobqRun-a10 { color: light-dark(#116329, #56d364); }
.jp-JobqRun-a11 { color: light-dark(#6f4a00, #e3b341); }
.jp-JobqRun-a12 { color: light-dark(#0550ae, #79c0ff); }
.jp-JobqRun-a13 { color: light-dark(#6639ba, #d2a8ff); }
.jp-JobqRun-a14 { color: light-dark(#0f5a61, #56d4dd); }
.jp-JobqRun-a15 { color: light-dark(#424a53, #f0f6fc); }

/* --- narrow --- */

@container jobq-run (max-width: 640px) {
  .jp-JobqRun-header {
    padding: 10px 10px 6px;
  }

  .jp-JobqRun-tabs {
    padding: 0 4px;
  }

  .jp-JobqRun-logbar,
  .jp-JobqRun-framebar,
  .jp-JobqRun-logstatus {
    padding-left: 10px;
    padding-right: 10px;
  }

  .jp-JobqRun-body > :is(.jp-JobqRun-overview, .jp-JobqRun-result) {
    padding: 10px 10px 24px;
  }

  .jp-JobqRun-time {
    display: none;
  }

  .jp-JobqRun-number {
    min-width: 7ch;
    padding-right: 1ch;
  }

  .jp-JobqRun-fit :is(td, th) {
    padding-right: 10px;
    max-width: 18em;
  }
}

@media (prefers-reduced-motion: no-preference) {
  .jp-JobqRun-button {
    transition: background-color 0.1s;
  }
}

@media (forced-colors: active) {
  .jp-JobqRun-tab.jp-mod-current {
    border-bottom: 2px solid Highlight;
  }

  .jp-JobqRun-timeline i,
  .jp-JobqRun .jp-JobqRun-bar i {
    forced-color-adjust: none;
  }

  .jp-JobqRun-text mark {
    forced-color-adjust: none;
  }
}
`,""]),e.d(r,{},{A:t})},314(o){o.exports=function(o){var r=[];return r.toString=function(){return this.map(function(r){var e="",n=void 0!==r[5];return r[4]&&(e+="@supports (".concat(r[4],") {")),r[2]&&(e+="@media ".concat(r[2]," {")),n&&(e+="@layer".concat(r[5].length>0?" ".concat(r[5]):""," {")),e+=o(r),n&&(e+="}"),r[2]&&(e+="}"),r[4]&&(e+="}"),e}).join("")},r.i=function(o,e,n,p,a){"string"==typeof o&&(o=[[null,o,void 0]]);var t={};if(n)for(var i=0;i<this.length;i++){var l=this[i][0];null!=l&&(t[l]=!0)}for(var d=0;d<o.length;d++){var u=[].concat(o[d]);n&&t[u[0]]||(void 0!==a&&(void 0===u[5]||(u[1]="@layer".concat(u[5].length>0?" ".concat(u[5]):""," {").concat(u[1],"}")),u[5]=a),e&&(u[2]&&(u[1]="@media ".concat(u[2]," {").concat(u[1],"}")),u[2]=e),p&&(u[4]?(u[1]="@supports (".concat(u[4],") {").concat(u[1],"}"),u[4]=p):u[4]="".concat(p)),r.push(u))}},r}},601(o){o.exports=function(o){return o[1]}},72(o){var r=[];function e(o){for(var e=-1,n=0;n<r.length;n++)if(r[n].identifier===o){e=n;break}return e}function n(o,n){for(var p={},a=[],t=0;t<o.length;t++){var i=o[t],l=n.base?i[0]+n.base:i[0],d=p[l]||0,u="".concat(l," ").concat(d);p[l]=d+1;var b=e(u),c={css:i[1],media:i[2],sourceMap:i[3],supports:i[4],layer:i[5]};if(-1!==b)r[b].references++,r[b].updater(c);else{var s=function(o,r){var e=r.domAPI(r);return e.update(o),function(r){r?(r.css!==o.css||r.media!==o.media||r.sourceMap!==o.sourceMap||r.supports!==o.supports||r.layer!==o.layer)&&e.update(o=r):e.remove()}}(c,n);n.byIndex=t,r.splice(t,0,{identifier:u,updater:s,references:1})}a.push(u)}return a}o.exports=function(o,p){var a=n(o=o||[],p=p||{});return function(o){o=o||[];for(var t=0;t<a.length;t++){var i=e(a[t]);r[i].references--}for(var l=n(o,p),d=0;d<a.length;d++){var u=e(a[d]);0===r[u].references&&(r[u].updater(),r.splice(u,1))}a=l}}},659(o){var r={};o.exports=function(o,e){var n=function(o){if(void 0===r[o]){var e=document.querySelector(o);if(window.HTMLIFrameElement&&e instanceof window.HTMLIFrameElement)try{e=e.contentDocument.head}catch(o){e=null}r[o]=e}return r[o]}(o);if(!n)throw Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");n.appendChild(e)}},540(o){o.exports=function(o){var r=document.createElement("style");return o.setAttributes(r,o.attributes),o.insert(r,o.options),r}},56(o,r,e){o.exports=function(o){var r=e.nc;r&&o.setAttribute("nonce",r)}},825(o){o.exports=function(o){if("u"<typeof document)return{update:function(){},remove:function(){}};var r=o.insertStyleElement(o);return{update:function(e){var n,p,a;n="",e.supports&&(n+="@supports (".concat(e.supports,") {")),e.media&&(n+="@media ".concat(e.media," {")),(p=void 0!==e.layer)&&(n+="@layer".concat(e.layer.length>0?" ".concat(e.layer):""," {")),n+=e.css,p&&(n+="}"),e.media&&(n+="}"),e.supports&&(n+="}"),(a=e.sourceMap)&&"u">typeof btoa&&(n+="\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(a))))," */")),o.styleTagTransform(n,r,o.options)},remove:function(){var o;null===(o=r).parentNode||o.parentNode.removeChild(o)}}}},113(o){o.exports=function(o,r){if(r.styleSheet)r.styleSheet.cssText=o;else{for(;r.firstChild;)r.removeChild(r.firstChild);r.appendChild(document.createTextNode(o))}}},255(o,r,e){var n=e(72),p=e.n(n),a=e(825),t=e.n(a),i=e(659),l=e.n(i),d=e(56),u=e.n(d),b=e(540),c=e.n(b),s=e(113),j=e.n(s),f=e(856),q={};q.styleTagTransform=j(),q.setAttributes=u(),q.insert=l().bind(null,"head"),q.domAPI=t(),q.insertStyleElement=c(),p()(f.A,q),f.A&&f.A.locals&&f.A.locals;var x=e(643),m={};m.styleTagTransform=j(),m.setAttributes=u(),m.insert=l().bind(null,"head"),m.domAPI=t(),m.insertStyleElement=c(),p()(x.A,m),x.A&&x.A.locals&&x.A.locals}}]);