/** Ids of the page's elements that the viewer of surfaces looks for. */
export const ids = { data: "surface-data", stage: "surface", choice: "surface-choice" } as const;
