import { LabIcon } from "@jupyterlab/ui-components";

/** Two jobs, one of which goes on somewhere else. */
export const jobqIcon = new LabIcon({
  name: "jobq-magic:runs",
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 20 20">
  <g class="jp-jobq-lines" stroke-width="1.6">
    <rect x="2.5" y="3.5" width="15" height="5" rx="1.5"/>
    <rect x="2.5" y="11.5" width="9" height="5" rx="1.5"/>
    <path d="M14 14h4m-1.5-1.8L18.3 14l-1.8 1.8"/>
  </g>
</svg>`
});
