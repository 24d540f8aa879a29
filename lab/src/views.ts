/** The views of the lab: names and titles. What each of them shows is loaded when it is first opened. */

/** Every view, in the order of the navigation. */
export const views = {
  planes: "Planes",
  networks: "Networks",
  runs: "Runs",
} as const;

export type ViewName = keyof typeof views;

/** The view that an address opens with: the text between `#` and `?`. */
export const viewNameOf = (hash: string): string =>
  hash.replace(/^#/, "").split("?", 1)[0] || "planes";

export const isViewName = (name: string): name is ViewName => Object.hasOwn(views, name);
