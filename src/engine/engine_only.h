/* engine_only.h --- the last include of every engine .c file: fails the build
 * when a server header found its way in. The engine must compile, be tested
 * and fuzzed with no server at all. */
#ifdef POSTGRES_H
#error "src/engine must not include postgres.h"
#endif
#ifdef C_H
#error "src/engine must not include the server's c.h"
#endif
