export const $ = (id) => document.getElementById(id);

/** Makes an element. Text goes in as text, never as HTML. */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** 12345.6 as 12,346, 1.25 as 1.3: figures that change quickly have to be short. */
export function figure(n) {
  return n.toLocaleString("en", { maximumFractionDigits: n < 10 ? 1 : 0 });
}

/** Copies text, and says so on the button. Where the page may not (plain http), it marks the text for the reader's own copy. */
export async function copy(text, shown, button) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(shown);
    button.textContent = "Marked";
  }
  setTimeout(() => (button.textContent = label), 1500);
}
