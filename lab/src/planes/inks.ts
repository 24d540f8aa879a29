/** Inks: colors of runs, marks and lines in the current theme, as strings of CSS. */
import { colorOf, theme } from "../shared/theme.svelte.ts";

/** Colors of runs. */
export interface Palette {
  readonly main: string;
  readonly descent: string;
  readonly switch: string;
  readonly rival: string;
  readonly ink: string;
}

/** Colors of what lies over a map. */
export interface Inks {
  /** Of arrows and lines. */
  readonly ink: string;
  /** Around marks and lines, so that they stand out on every color. */
  readonly halo: string;
  readonly critical: string;
  readonly minimizer: string;
  readonly hallucinated: string;
  readonly branch: string;
}

export const paletteOf = (): Palette => ({
  main: colorOf("--sam"),
  descent: colorOf("--descent"),
  switch: colorOf("--switch"),
  rival: colorOf("--rival"),
  ink: colorOf("--ink"),
});

const marks = {
  light: {
    halo: "#ffffff",
    critical: "#1f7a6a",
    minimizer: "#0b4f94",
    hallucinated: "#c2185b",
    branch: "#8a5a00",
  },
  dark: {
    halo: "#0d0f12",
    critical: "#5fd0b8",
    minimizer: "#8cc6ff",
    hallucinated: "#ff7eb0",
    branch: "#f2c14e",
  },
} as const;

export const inksOf = (): Inks => ({ ink: colorOf("--ink"), ...marks[theme.current] });
