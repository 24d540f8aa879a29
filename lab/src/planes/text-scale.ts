/** How large the page's text is, in units of a desktop's: what is drawn grows with it. */
export const textScale = (): number =>
  parseFloat(getComputedStyle(document.documentElement).fontSize) / 16 || 1;
