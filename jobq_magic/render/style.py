"""How cards look: one style sheet, and the drawings of the phases.

Ground, letters and lines are those of the front end where it says so (JupyterLab, VS Code), and the rest is mixed from
them; `light-dark` has two fallbacks each, and who is dark is known by the marks that front ends set on a page, or by
what the reader's system asks for on a page without any.
"""

from __future__ import annotations

from collections.abc import Mapping

from jobq_magic.snapshot import Phase

__all__ = ["SHORT", "STYLE", "icon"]

_HEAD = """\
.jq{color-scheme:light;
--jq-fg:var(--jp-ui-font-color1,var(--vscode-editor-foreground,light-dark(#1f2328,#e6edf3)));
--jq-bg:var(--jp-layout-color1,var(--vscode-editor-background,light-dark(#ffffff,#161b22)));
--jq-line:var(--jp-border-color2,color-mix(in srgb,var(--jq-fg) 16%,var(--jq-bg)));
--jq-mut:color-mix(in srgb,var(--jq-fg) 76%,var(--jq-bg));
--jq-soft:color-mix(in srgb,var(--jq-fg) 4%,var(--jq-bg));
--jq-rest:color-mix(in srgb,var(--jq-fg) 13%,var(--jq-bg));
--jq-blue:light-dark(#0860ca,#58a6ff);--jq-green:light-dark(#187733,#3fb950);
--jq-amber:light-dark(#855900,#d29922);--jq-red:light-dark(#c21f2b,#ff7b72);
--c:var(--jq-mut);color:var(--jq-fg);background:var(--jq-bg);border:1px solid var(--jq-line);border-radius:6px;
overflow:hidden;box-sizing:border-box;font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif);
font-variant-numeric:tabular-nums;overflow-wrap:anywhere;text-align:left}
[data-jp-theme-light=false] .jq,.vscode-dark .jq,.vscode-high-contrast .jq,
html[data-theme=dark] .jq,html[theme=dark] .jq{color-scheme:dark}
@media(prefers-color-scheme:dark){
html:not([data-theme],[theme]) body:not([data-jp-theme-light],[data-vscode-theme-kind]) .jq{color-scheme:dark}}
.jq-running,.jq-collecting{--c:var(--jq-blue)}
.jq-queued,.jq-starting,.jq-paused,.jq-stopping{--c:var(--jq-amber)}
.jq-cancelled{--c:var(--jq-mut)}.jq-succeeded{--c:var(--jq-green)}.jq-failed,.jq-lost{--c:var(--jq-red)}
.jq-head{container-type:inline-size;display:flex;gap:10px;padding:8px 12px;align-items:baseline}
.jq-who{display:flex;flex-wrap:wrap;gap:0 10px;flex:1;min-width:0}
.jq-who a{margin-left:auto}@container(max-width:560px){.jq-who a{margin-left:0}}
.jq-who>*{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;max-width:100%}
.jq-pill,.jq b{font-weight:600}.jq-pill{color:var(--c)}
.jq-pill svg{width:13px;height:13px;margin-right:6px;vertical-align:-2px}
.jq .jq-mut{color:var(--jq-mut)}
.jq-say,.jq-note{padding:0 12px 8px}.jq-say:has(+.jq-say){padding-bottom:1px}
"""
_BODY = """\
.jq a{color:var(--jp-content-link-color,var(--jq-blue));text-decoration:none}.jq a:hover{text-decoration:underline}
.jq-time{display:flex;height:4px;margin:0 12px 4px;gap:2px}
.jq-time i{border-radius:2px;min-width:3px;background:var(--c)}.jq-time .jq-rest{background:var(--jq-rest)}
.jq-time .jq-open{background:linear-gradient(90deg,var(--c) 70%,var(--jq-rest))}
.jq-times{display:flex;gap:1px 14px;flex-wrap:wrap;padding:0 12px 8px;font-size:11px;color:var(--jq-mut)}
.jq .jq-times b{color:var(--jq-fg);font-weight:500}
.jq-bars{padding:0 12px 8px;container-type:inline-size}
.jq-bars>div{display:grid;grid-template-columns:fit-content(35%) minmax(60px,1fr) auto auto;gap:2px 10px}
.jq-bars .jq-plain{grid-template-columns:minmax(60px,1fr) auto auto}
.jq-bar{display:grid;grid-column:1/-1;grid-template-columns:subgrid;align-items:center}
@container(max-width:430px){.jq-bar>:last-child{grid-column:1/-1;text-align:right}}
.jq-bar>*{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.jq-bar :nth-last-child(2){text-align:right}
.jq-bar div{height:6px;border-radius:3px;background:var(--jq-rest)}
.jq-bar div i{display:block;height:100%;background:var(--jq-blue)}
.jq .jq-small{font-size:11px}
.jq-wk,.jq-ws{display:flex;flex-wrap:wrap;gap:6px;padding:0 12px 8px;font-size:11px;align-items:center}
.jq-wk>span,.jq-ws>span{display:flex;gap:6px;align-items:center;border:1px solid var(--jq-line);border-radius:4px;
padding:1px 7px;max-width:100%;box-sizing:border-box;white-space:nowrap}
.jq-ws svg{width:11px;height:11px;flex:none;color:var(--c)}.jq .jq-ws b{font-weight:500}
.jq-ws>span>.jq-mut{overflow:hidden;text-overflow:ellipsis;max-width:16em}
.jq .jq-wk b{font-weight:400;overflow:hidden;text-overflow:ellipsis;max-width:14em}
.jq-wk svg,.jq-ws svg:not(:first-child){width:34px;height:12px;flex:none;fill:none;
stroke:var(--jq-blue);stroke-width:1.4}
.jq .jq-wk .jq-all,.jq .jq-ws .jq-all{border-color:transparent;padding:1px 0}
.jq.jq pre{margin:0;padding:8px 12px;border:0;border-top:1px solid var(--jq-line);background:var(--jq-soft);
color:inherit;font:12px/1.5 var(--jp-code-font-family,ui-monospace,Menlo,"DejaVu Sans Mono",monospace);
white-space:pre-wrap;word-break:normal;overflow:auto;max-height:420px}
.jq-out{display:flex;flex-direction:column-reverse;align-items:stretch;max-height:420px;overflow:auto}
.jq-out:has(pre){border-top:1px solid var(--jq-line)}.jq-out>*{flex:none}
.jq.jq .jq-tail{border:0;max-height:none;overflow:visible}
.jq-lanes{padding:2px 12px 8px;font-size:11px}.jq-lanes>div{display:flex;gap:8px;align-items:center;margin:2px 0}
.jq .jq-lanes b{flex:none;width:4.5em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;font-weight:500}
.jq.jq.jq .jq-lanes svg{flex:1;min-width:60px;height:16px;border-bottom:1px solid var(--jq-rest)}
.jq .jq-lanes em{flex:none;width:9.5em;font-style:normal}
.jq .jq-axis span{color:var(--jq-mut)}.jq-axis span:first-of-type{flex:1}
.jq-legend{flex-wrap:wrap}.jq-legend span{display:inline-flex;gap:5px;align-items:center}
.jq-legend i{width:9px;height:9px;border-radius:2px;background:var(--l)}.jq-lanes path{fill:var(--l)}
.jq-c0{--l:var(--jq-blue)}.jq-c1{--l:var(--jq-green)}.jq-c2{--l:light-dark(#8250df,#ab7df8)}.jq-c3{--l:var(--jq-amber)}
.jq-c4{--l:light-dark(#1b7c83,#39c5cf)}.jq-c5{--l:var(--jq-mut)}.jq-cx{--l:var(--jq-red)}
.jq-cu{--l:var(--jq-rest)}
.jq-foot{display:flex;gap:6px 14px;padding:6px 12px;border-top:1px solid var(--jq-line);font-size:12px;flex-wrap:wrap;
color:var(--jq-mut);align-items:center}
.jq.jq.jq code{font:12px var(--jp-code-font-family,ui-monospace,Menlo,"DejaVu Sans Mono",monospace);padding:0;
color:var(--jq-fg);background:none}
.jq.jq.jq code.jq-copy{user-select:all;cursor:text;border-radius:3px;background:var(--jq-soft);padding:1px 4px}
.jq .jq-say code{white-space:nowrap}.jq .jq-note code{display:inline-block}
.jq-btn{font:inherit;color:var(--jq-fg);background:var(--jq-bg);border:1px solid var(--jq-line);border-radius:4px;
padding:1px 10px;cursor:pointer}.jq-acts{display:flex;gap:6px;margin-left:auto}
.jq .jq-again{display:none}[data-jp-theme-light] .jq .jq-again{display:inline-block}
.jq :focus-visible{outline:2px solid var(--jq-blue);outline-offset:1px}
.jq details{border-top:1px solid var(--jq-line);font-size:12px}
.jq>details:first-child,.jq>details:first-child+details{border-top:0}
.jq summary{padding:6px 12px;cursor:pointer;color:var(--jq-mut)}
.jq-fit{overflow-x:auto;container-type:inline-size}
@container(max-width:480px){.jq .jq-fit :is(td,th){padding:2px 4px;font-size:11px}
.jq.jq .jq-fit .jq-n{white-space:normal}.jq .jq-fit :is(td,th):first-child{padding-left:12px}}
.jq-meter{display:block;height:3px;border-radius:2px;background:var(--jq-rest);margin:1px 0 2px;min-width:3em}
.jq-meter i{display:block;height:100%;border-radius:2px;background:var(--jq-blue)}
.jq .jq-found{color:var(--c);font-weight:600;white-space:nowrap}
.jq ol.jq-ahead{margin:0 0 8px;padding:0 12px 0 36px;max-height:220px;overflow:auto}
.jq.jq.jq tr,.jq.jq.jq thead{background:none;border:0}
.jq table{border-collapse:collapse;margin:2px 0 6px;font-size:12px;color:inherit}
.jq td,.jq th{vertical-align:top;padding:2px 12px;max-width:30em;font-weight:400;
overflow-wrap:break-word}
.jq.jq.jq td,.jq.jq.jq th{text-align:left}.jq.jq.jq .jq-n{text-align:right}
.jq .jq-list td{max-width:19em;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.jq th{color:var(--jq-mut);white-space:nowrap}.jq .jq-first{color:inherit}.jq .jq-n{white-space:nowrap}
.jq-bare{border:0;background:none}
.jq:has(.jq-full[open]) .jq-out{display:none}
"""
STYLE = f"<style>\n{_HEAD}{_BODY}</style>"
"""What every card begins with: outputs are saved, moved and shown one by one."""
SHORT = f"<style>\n{_HEAD}</style>"
"""For a card that is its head and a sentence: headless notebooks hold one under each cell."""

_DOT = '<circle cx="8" cy="8" r="5" fill="currentColor"/>'
_WAIT = '<circle cx="8" cy="8" r="5.5" {} stroke-dasharray="3 2.5"/>'
_STOP = '<rect x="3.5" y="3.5" width="9" height="9" rx="1" fill="currentColor"/>'
_DRAWN: Mapping[Phase, str] = {
    Phase.CAPTURING: _WAIT,
    Phase.BUILDING: _WAIT,
    Phase.SUBMITTING: _WAIT,
    Phase.QUEUED: _WAIT,
    Phase.STARTING: _WAIT,
    Phase.RUNNING: _DOT,
    Phase.COLLECTING: '<path d="M8 2.5v8M4.5 7.5L8 11l3.5-3.5M3 14h10" {}/>',
    Phase.STOPPING: _STOP,
    Phase.PAUSED: '<path d="M5.5 3v10M10.5 3v10" {}/>',
    Phase.SUCCEEDED: '<path d="M3 8.5l3.2 3.2L13 4.8" {}/>',
    Phase.FAILED: '<path d="M4 4l8 8M12 4l-8 8" {}/>',
    Phase.CANCELLED: _STOP,
    Phase.LOST: '<path d="M5 6a3 3 0 1 1 4 2.8q-1 .4-1 1.7M8 12v2" {}/>',
}


def icon(phase: Phase) -> str:
    """The drawing that stands before the word of a phase."""
    body = _DRAWN[phase].format('fill="none" stroke="currentColor" stroke-width="2"')
    return f'<svg viewBox="0 0 16 16" width="13" height="13" aria-hidden="true">{body}</svg>'
