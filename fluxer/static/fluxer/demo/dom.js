/** Small tools for the page: elements by id, elements made, lists kept in step. */

/** @param {string} id @returns {any} */
export const $ = (id) => document.getElementById(id);

/** An element with properties and children. @returns {any} */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** @param {string} name of a symbol of templates/demo/icons.html */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/**
 * Makes the children of a list be those of the items, in their order. Elements stay, and with them
 * the focus and running videos.
 *
 * @param {Element} list
 * @param {any[]} items
 * @param {(item: any) => string} key
 * @param {(item: any) => HTMLElement} make
 * @param {(element: any, item: any) => void} update
 */
export function keep(list, items, key, make, update) {
  const known = new Map([...list.children].map((child) => [child.getAttribute("data-key"), child]));
  let before = null;
  for (const item of items) {
    const id = key(item);
    let element = known.get(id);
    known.delete(id);
    if (!element) {
      element = make(item);
      element.setAttribute("data-key", id);
    }
    const place = before ? before.nextElementSibling : list.firstElementChild;
    if (element !== place) list.insertBefore(element, place);
    update(element, item);
    before = element;
  }
  for (const element of known.values()) element.remove();
}

/** Text, only if it is another: a live region would say it again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Options of a select; what was chosen stays chosen. */
export function choices(select, options, chosen) {
  const wanted = JSON.stringify([options, chosen]);
  if (select.dataset.wanted === wanted) return;
  select.dataset.wanted = wanted;
  select.replaceChildren(
    ...options.map(([value, text, disabled = false]) =>
      h("option", { value, textContent: text, disabled, selected: value === chosen })),
  );
  select.value = chosen;
}
