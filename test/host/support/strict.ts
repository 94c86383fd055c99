// PLAIT_TEST_STRICT=1 asserts the goals themselves, on a machine that does nothing else. Otherwise the bounds leave
// room for a busy one, and are still tight enough to catch a defect.
export const STRICT = process.env.PLAIT_TEST_STRICT === '1';
