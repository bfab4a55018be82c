package auth

// NobodysHash is what is evaluated where there is no user.
const NobodysHash = nobodysHash
