/** The build of this page: version, and commit where there is one. Outcomes are named with it. */
declare const LUCID_BUILD: string;

export const build: string = LUCID_BUILD;
