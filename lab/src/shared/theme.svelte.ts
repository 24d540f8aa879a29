/** Themes: light and dark, as the system says until the reader says otherwise. */
import { MediaQuery } from "svelte/reactivity";

export type Theme = "light" | "dark";

const key = "lucid-theme";
const dark = new MediaQuery("prefers-color-scheme: dark");

/** Pages of some hosts may not store anything: the choice then lasts as long as the page. */
function stored(): Theme | undefined {
  try {
    const value = localStorage.getItem(key);
    return value === "light" || value === "dark" ? value : undefined;
  } catch {
    return undefined;
  }
}

class ThemeChoice {
  #chosen = $state(stored());

  /** The theme that is shown. */
  get current(): Theme {
    return this.#chosen ?? (dark.current ? "dark" : "light");
  }

  choose(theme: Theme): void {
    this.#chosen = theme;
    try {
      localStorage.setItem(key, theme);
    } catch {
      // See above.
    }
  }
}

/** The page's theme. What draws on a canvas reads `theme.current`, so that it is drawn again. */
export const theme = new ThemeChoice();

/** The value of a color of lab.css in the current theme: `colorOf("--sam")`. */
export function colorOf(name: `--${string}`): string {
  // Read, so that what draws depends on it.
  void theme.current;
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
