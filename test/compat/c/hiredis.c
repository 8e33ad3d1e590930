// Tries hiredis, which connects again when it is told to.
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { n = 1000, size = 1 << 20 };
static redisContext *c;
static int failed;
static char reason[512];

static int why(const char *what) {
	snprintf(reason, sizeof reason, "%s%s%s", what, c && c->err ? ": " : "", c && c->err ? c->errstr : "");
	return 0;
}

static void step(const char *name, int ok) {
	if (ok) {
		printf("%s: ok\n", name);
		return;
	}
	failed = 1;
	printf("%s: FAIL %s\n", name, reason);
	if (strcmp(name, "connect") == 0) exit(1);
}

// want sends a command and compares the reply's text, or its number.
static int want(const char *reply, const char *command) {
	redisReply *r = redisCommand(c, command);
	char text[256];
	if (!r) return why(command);
	if (r->type == REDIS_REPLY_INTEGER) snprintf(text, sizeof text, "%lld", r->integer);
	else if (r->type == REDIS_REPLY_NIL) snprintf(text, sizeof text, "nil");
	else if (r->type == REDIS_REPLY_ARRAY) {
		text[0] = 0;
		for (size_t i = 0; i < r->elements; i++) {
			strncat(text, r->element[i]->str, 20);
			strcat(text, " ");
		}
	} else snprintf(text, sizeof text, "%.200s", r->str);
	freeReplyObject(r);
	return !reply || strcmp(text, reply) == 0 ? 1 : why(text);
}

static int binary(void) {
	char *value = malloc(size);
	for (int i = 0; i < size; i++) value[i] = (char)i;
	redisReply *r = redisCommand(c, "SET hiredis:b %b", value, (size_t)size);
	if (!r || r->type == REDIS_REPLY_ERROR) return why(r ? r->str : "SET");
	freeReplyObject(r);
	r = redisCommand(c, "GET hiredis:b");
	int ok = r && r->type == REDIS_REPLY_STRING && r->len == size && memcmp(r->str, value, size) == 0;
	if (r) freeReplyObject(r);
	free(value);
	return ok ? 1 : why("another value came back");
}

static int pipeline(void) {
	for (int i = 0; i < n / 2; i++) {
		redisAppendCommand(c, "SET hiredis:p%d %d", i, i);
		redisAppendCommand(c, "GET hiredis:p%d", i);
	}
	for (int i = 0; i < n; i++) {
		redisReply *r;
		if (redisGetReply(c, (void **)&r) != REDIS_OK) return why("no reply");
		if (i % 2 == 1 && (r->type != REDIS_REPLY_STRING || atoi(r->str) != i / 2)) return why("a wrong reply");
		freeReplyObject(r);
	}
	return 1;
}

static int scan(void) {
	char seen[n] = {0}, cursor[32] = "0";
	int count = 0;
	for (int i = 0; i < n; i++) redisAppendCommand(c, "SADD hiredis:s %d", i);
	for (int i = 0; i < n; i++) {
		redisReply *r;
		if (redisGetReply(c, (void **)&r) != REDIS_OK) return why("no reply");
		freeReplyObject(r);
	}
	do {
		redisReply *r = redisCommand(c, "SSCAN hiredis:s %s", cursor);
		if (!r || r->type != REDIS_REPLY_ARRAY) return why("SSCAN");
		snprintf(cursor, sizeof cursor, "%s", r->element[0]->str);
		for (size_t i = 0; i < r->element[1]->elements; i++) {
			int m = atoi(r->element[1]->element[i]->str);
			count += !seen[m];
			seen[m] = 1;
		}
		freeReplyObject(r);
	} while (strcmp(cursor, "0") != 0);
	return count == n ? 1 : why("members are missing");
}

static int expiry(void) {
	int ok = want("OK", "SET hiredis:e v EX 100") && want(NULL, "TTL hiredis:e") && want("1", "PEXPIRE hiredis:e 20");
	usleep(100000);
	return ok && want("nil", "GET hiredis:e");
}

static int reconnect(void) {
	for (int i = 0; i < 200; i++, usleep(50000))
		if (redisReconnect(c) == REDIS_OK && want("OK", "SET hiredis:r 1")) return 1;
	return 0;
}

int main(int argc, char **argv) {
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("version: %d.%d.%d\n", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
	c = redisConnect(argv[argc - 2], atoi(argv[argc - 1]));
	step("connect", c && !c->err ? want("OK", "SET compat:start 1") : why("redisConnect"));
	step("handshake", want("PONG", "PING"));
	step("binary", binary());
	step("pipeline", pipeline());
	step("expiry", expiry());
	want(NULL, "DEL hiredis:c");
	step("counters", want("1", "INCR hiredis:c") && want("42", "INCRBY hiredis:c 41") && want("41", "DECR hiredis:c"));
	want(NULL, "DEL hiredis:h");
	step("hashes", want("2", "HSET hiredis:h f v g w") && want("f v g w ", "HGETALL hiredis:h"));
	step("scan", scan());
	printf("restart\n");
	char line[16];
	if (!fgets(line, sizeof line, stdin)) return 1;
	step("reconnect", reconnect());
	redisFree(c);
	return failed;
}
