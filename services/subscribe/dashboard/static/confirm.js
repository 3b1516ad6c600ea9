import { $ } from "./dom.js";

/** Asks before something is done. Escape and Cancel mean no. @returns {Promise<boolean>} */
export function confirmed({ title, text, action, danger = false }) {
  const dialog = $("confirm");
  $("confirm-title").textContent = title;
  $("confirm-text").textContent = text;
  $("confirm-yes").textContent = action;
  $("confirm-yes").className = danger ? "danger" : "primary";
  $("confirm-no").onclick = () => dialog.close("no");
  $("confirm-yes").onclick = () => dialog.close("yes");
  dialog.returnValue = "no";
  dialog.showModal(); // it keeps the focus within itself, and gives it back
  (danger ? $("confirm-no") : $("confirm-yes")).focus();
  return new Promise((resolve) => (dialog.onclose = () => resolve(dialog.returnValue === "yes")));
}
