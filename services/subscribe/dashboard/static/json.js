// JSON is shown from its text, not from parsed values: those have lost large
// numbers, repeated keys and, for keys like "2", the order.

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g;

/**
 * The text of one member of the object that line holds, cut off behind `most`
 * characters. undefined if there is none.
 */
export function member(line, name, most = Infinity) {
  const key = JSON.stringify(name);
  const tokens = new RegExp(TOKEN);
  let depth = 0, start = -1, isKey = true;
  for (let m; (m = tokens.exec(line)); ) {
    const token = m[0];
    if (start >= 0 && (m.index - start >= most || (depth === 1 && token === ",") || (depth === 1 && token === "}"))) {
      return line.slice(start, Math.min(m.index, start + most));
    }
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    if (depth !== 1) continue;
    if (token === ",") isKey = true;
    else if (token === ":") isKey = false;
    else if (isKey && token === key && start < 0) start = tokens.lastIndex + 1;
  }
  return undefined;
}

/** The texts of the elements of an array. The text has to be valid. @returns {string[]} */
export function elements(text) {
  const tokens = new RegExp(TOKEN);
  const found = [];
  let depth = 0, start = 0;
  for (let m; (m = tokens.exec(text)); ) {
    const token = m[0];
    if (depth === 1 && (token === "," || token === "]")) {
      const element = text.slice(start, m.index).trim();
      if (element) found.push(element);
    }
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    if (depth === 1 && (token === "[" && start === 0 || token === ",")) start = tokens.lastIndex;
  }
  return found;
}

/**
 * Indented JSON as [kind, text] pieces; kind is key, string, number, word or
 * "" for what stands between. The text has to be valid.
 * @returns {[string, string][]}
 */
export function pretty(text) {
  const tokens = text.match(TOKEN) ?? [];
  const pieces = [];
  let depth = 0;
  tokens.forEach((token, i) => {
    const next = tokens[i + 1];
    switch (token) {
      case "{": case "[": {
        const empty = next === "}" || next === "]";
        if (!empty) depth++;
        pieces.push(["", empty ? token : token + indent(depth)]);
        break;
      }
      case "}": case "]": {
        const empty = tokens[i - 1] === "{" || tokens[i - 1] === "[";
        if (!empty) depth--;
        pieces.push(["", empty ? token : indent(depth) + token]);
        break;
      }
      case ",": pieces.push(["", "," + indent(depth)]); break;
      case ":": pieces.push(["", ": "]); break;
      default: pieces.push([kind(token, next), token]);
    }
  });
  return pieces;
}

const indent = (depth) => "\n" + "  ".repeat(depth);

function kind(token, next) {
  if (token[0] === '"') return next === ":" ? "key" : "string";
  return /^[-\d]/.test(token) ? "number" : "word";
}
