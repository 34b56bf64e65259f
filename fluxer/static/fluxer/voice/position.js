/** Where the person is, if they allow it, and only roughly. */

const PATIENCE = { timeout: 5000, maximumAge: 600_000 };
/** Milliseconds after which an unanswered question counts as a no: a join does not hang on it. */
const QUESTION = 15_000;

/**
 * @param {true | {latitude: number, longitude: number} | null} position true: ask the browser
 * @returns {Promise<{latitude: string, longitude: string} | {}>} nothing, if it is not allowed
 */
export async function locate(position) {
  if (!position) return {};
  const found = position === true ? await asked() : position;
  if (!found) return {};
  const { latitude, longitude } = found;
  return { latitude: Number(latitude).toFixed(2), longitude: Number(longitude).toFixed(2) };
}

function asked() {
  const { geolocation } = globalThis.navigator ?? {};
  if (!geolocation) return null;
  return new Promise((resolve) => {
    setTimeout(() => resolve(null), QUESTION);
    geolocation.getCurrentPosition(({ coords }) => resolve(coords), () => resolve(null), PATIENCE);
  });
}
