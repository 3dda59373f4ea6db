/** Changes one tree of elements into another, in place: what stays keeps its focus, its scroll position, its selection. */

/** Attributes that belong to the reader once the page is there, and of what. */
const KEPT = /** @type {const} */ ([
  ["open", "details, dialog"],
  ["value", "input:not([type=hidden], [type=submit], [type=button])"],
  ["checked", "input"],
  ["selected", "option"],
]);

/**
 * Makes `old` equal to `fresh`. Children that have an id are recognised by it, the others by their place: where one may
 * come or go, it and those beside it need ids.
 * @param {Element} old
 * @param {Element} fresh
 */
export function morph(old, fresh) {
  morphAttributes(old, fresh);
  const wanted = new Set([...fresh.children].map((child) => child.id).filter(Boolean));
  /** @type {ChildNode | null} */
  let place = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    while (place instanceof Element && place.id && !wanted.has(place.id)) place = without(place);
    const found = counterpart(old, place, child);
    if (!found) {
      old.insertBefore(document.importNode(child, true), place);
    } else if (found === place) {
      place = place.nextSibling;
      morphNode(found, child);
    } else {
      old.insertBefore(found, place);
      morphNode(found, child);
    }
  }
  while (place) place = without(place);
}

/**
 * The node of `old` that `fresh` is a new state of: the one of the same id, else the one at its place.
 * @param {Element} old
 * @param {ChildNode | null} place
 * @param {ChildNode} fresh
 * @returns {ChildNode | null}
 */
function counterpart(old, place, fresh) {
  if (fresh instanceof Element && fresh.id) {
    return [place, ...old.children].find((node) => node instanceof Element && alike(node, fresh)) ?? null;
  }
  return place && alike(place, fresh) ? place : null;
}

/**
 * @param {Node} one
 * @param {Node} other
 */
function alike(one, other) {
  return one.nodeName === other.nodeName && idOf(one) === idOf(other);
}

/** @param {Node} node */
function idOf(node) {
  return node instanceof Element ? node.id : "";
}

/**
 * @param {ChildNode} old
 * @param {ChildNode} fresh
 */
function morphNode(old, fresh) {
  if (old instanceof Element && fresh instanceof Element) morph(old, fresh);
  else if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
}

/**
 * @param {Element} old
 * @param {Element} fresh
 */
function morphAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !isKept(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !isKept(old, name)) old.setAttribute(name, value);
  }
}

/**
 * @param {Element} element
 * @param {string} name
 */
function isKept(element, name) {
  return KEPT.some(([attribute, of]) => attribute === name && element.matches(of));
}

/**
 * Takes a node away; gives the one behind it.
 * @param {ChildNode} node
 */
function without(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}
