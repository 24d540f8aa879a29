/** Fields about roles: what is read as factors per role, what as roles, and what is neither. */
import { describe, expect, test } from "vitest";
import { groups, roles } from "./roles.ts";

describe("factors per role", () => {
  test.each<[unknown, object]>([
    [undefined, {}],
    [{}, {}],
    [
      { bias: 0, norm: 2 },
      { bias: 0, norm: 2 },
    ],
    ["bias:0", { bias: 0 }],
    [" weight : 0.5 , embedding:1e-3", { weight: 0.5, embedding: 0.001 }],
  ])("%j", (value, read) => {
    expect(groups().parse(value)).toEqual(read);
  });

  test.each([
    "",
    "bias",
    "bias:",
    "bias:x",
    "bias:-1",
    "bais:1",
    "bias:1;norm:2",
    { bias: "1" },
    { bias: -1 },
    { bias: NaN },
    { other: 1 },
    [1],
    5,
    null,
  ])("%j is refused", (value) => {
    const { success, error } = groups().safeParse(value);
    expect(success).toBe(false);
    expect(error?.issues[0]?.message).toBe(
      "give a factor per role, such as bias:0,norm:2, with roles weight, bias, norm, embedding",
    );
  });
});

describe("roles", () => {
  const field = roles(["norm"], "which");

  test.each<[unknown, string[]]>([
    [undefined, ["norm"]],
    [["bias"], ["bias"]],
    ["weight,bias", ["weight", "bias"]],
    [" norm , embedding ", ["norm", "embedding"]],
  ])("%j", (value, read) => {
    expect(field.parse(value)).toEqual(read);
  });

  test.each(["", "bais", "bias,", "bias norm", [], ["x"], [1], {}, 5, null])(
    "%j are refused",
    (value) => {
      expect(field.safeParse(value).success).toBe(false);
    },
  );

  test("say which there are", () => {
    expect(field.description).toBe("which");
    expect(field.safeParse("x").error?.issues[0]?.message).toBe(
      "give roles such as norm,bias from weight, bias, norm, embedding",
    );
  });
});
