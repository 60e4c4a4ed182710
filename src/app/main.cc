// The program: `dagy serve`, `dagy admin …`, `dagy openapi`, and the spawner it starts itself.
int main() {
  return 0;
}
