/** The build of this page: version, and commit where there is one. Outcomes are named with it. */
declare const __LUCID_BUILD__: string;

export const build: string = __LUCID_BUILD__;
