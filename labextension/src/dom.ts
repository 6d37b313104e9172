type Value = string | number | boolean | null | undefined | ((event: never) => void);
type Child = Node | string | null | undefined | false;

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. What strangers wrote comes in as a child or an attribute, and stays text.
 *
 * @param attributes - `class`, `role`, `aria-…`; `onclick` and its like as functions; what is null or false is left out.
 */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Value> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      node.addEventListener(name.replace(/^on/, ""), value as EventListener);
    } else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  node.append(...children.filter((child): child is Node | string => Boolean(child) || child === ""));
  return node;
}

/** Says another text where it is another: what is selected, or read aloud, stays. */
export function say(node: Element, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** A drawing of 16 × 16, from paths of ours: never from what somebody else wrote. */
export function drawing(inside: string, className: string): SVGSVGElement {
  const node = document.createElementNS(SVG, "svg");
  node.setAttribute("viewBox", "0 0 16 16");
  node.setAttribute("class", className);
  node.setAttribute("aria-hidden", "true");
  node.innerHTML = inside;
  return node;
}
