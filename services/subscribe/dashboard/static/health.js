const EVERY = 5000; // ms

/**
 * Asks now and then whether messages can flow: that the service is connected to says nothing of its broker.
 * @param {(trouble: string) => void} told gets why they cannot, or ""
 */
export function watchHealth(told) {
  const look = async () => !document.hidden && told(await trouble());
  setInterval(look, EVERY);
  document.addEventListener("visibilitychange", look);
  look();
}

async function trouble() {
  try {
    const answer = await fetch("/readyz", { signal: AbortSignal.timeout(EVERY) });
    return answer.ok ? "" : (await answer.json()).detail;
  } catch {
    return ""; // the connection tells
  }
}
