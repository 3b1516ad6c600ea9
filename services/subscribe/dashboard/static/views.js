import { $ } from "./dom.js";

/**
 * The page's two views. The address says which one is shown, and which queue, so
 * that it survives a reload; what the messages show stands behind its #.
 * @param {import("./queues.js").Queues} queues
 */
export function views(queues) {
  const show = () => {
    const address = new URL(location.href);
    const isQueues = address.searchParams.get("view") === "queues";
    $("messages-view").hidden = isQueues;
    $("queues-view").hidden = !isQueues;
    $("tab-messages").ariaCurrent = isQueues ? null : "page";
    $("tab-queues").ariaCurrent = isQueues ? "page" : null;
    if (isQueues) queues.show(address.searchParams.get("queue") ?? "");
    else queues.hide();
  };
  const go = (wish) => {
    const query = new URLSearchParams(wish).toString();
    history.pushState(null, "", `/${query && `?${query}`}${location.hash}`);
    show();
  };
  for (const [tab, wish] of [["tab-messages", {}], ["tab-queues", { view: "queues" }]]) {
    $(tab).addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab or window
      event.preventDefault();
      go(wish);
    });
  }
  queues.chosen = (queue) => go({ view: "queues", queue });
  addEventListener("popstate", show);
  show();
}
