/*-------------------------------------------------------------------------
 *
 * check_special.c
 *		Compares src/base/special.c with special.csv, outside the server.
 *
 *	cc -std=gnu11 -ffp-contract=off -I$(pg_config --includedir-server) -Isrc \
 *		test/reference/check_special.c src/base/special.c -lm -o check_special
 *	./check_special test/reference/special.csv
 *
 * Prints the largest error of each function, relative to the scale that
 * special.csv gives, and fails if one is above 1e-12 or a function is missing.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/special.h"

#define TOLERANCE 1e-12
#define MAX_FIELDS 7

typedef struct Checked
{
	const char *name;
	int			rows;
	double		worst;
} Checked;

static Checked checked[] = {
	{"log_gamma_ratio"}, {"digamma_difference"}, {"log_beta_ratio"},
	{"negative_binomial_log_pmf"}, {"beta_binomial_log_pmf"},
	{"expm1_ratio"}, {"log1p_exp"}, {"stirling_error"}, {"trigamma"},
	{"trigamma_difference"},
};

#define NCHECKED (int) (sizeof(checked) / sizeof(checked[0]))

static double
evaluate(int function, const double *v)
{
	switch (function)
	{
		case 0:
			return special_log_gamma_ratio(v[0], v[1]);
		case 1:
			return special_digamma_difference(v[0], v[1]);
		case 2:
			return special_log_beta_ratio(v[0], v[1], v[2]);
		case 3:
			return special_negative_binomial_log_pmf(v[0], v[1], v[2]);
		case 4:
			return special_beta_binomial_log_pmf(v[0], v[1], v[2], v[3]);
		case 5:
			return special_expm1_ratio(v[0]);
		case 6:
			return special_log1p_exp(v[0]);
		case 7:
			return special_stirling_error(v[0]);
		case 8:
			return special_trigamma(v[0]);
		default:
			return special_trigamma_difference(v[0], v[1]);
	}
}

int
main(int argc, char **argv)
{
	FILE	   *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	char		line[1024];
	bool		failed = false;
	int			i;

	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
	{
		fprintf(stderr, "usage: check_special special.csv\n");
		return 2;
	}
	while (fgets(line, sizeof(line), file) != NULL)
	{
		char	   *rest = line;
		char	   *name = strsep(&rest, ",");
		double		v[MAX_FIELDS] = {0};
		double		error;

		for (i = 0; rest != NULL && i < MAX_FIELDS; i++)
			v[i] = strtod(strsep(&rest, ","), NULL);
		for (i = 0; i < NCHECKED && strcmp(name, checked[i].name) != 0; i++)
			;
		if (i == NCHECKED)
		{
			fprintf(stderr, "unknown function \"%s\"\n", name);
			return 2;
		}
		error = fabs(evaluate(i, v) - v[4]) / v[5];
		checked[i].rows++;
		if (!(error <= checked[i].worst))
			checked[i].worst = error;
	}
	for (i = 0; i < NCHECKED; i++)
	{
		printf("%-28s %5d rows, largest error %.1e\n", checked[i].name,
			   checked[i].rows, checked[i].worst);
		if (checked[i].rows == 0 || !(checked[i].worst <= TOLERANCE))
			failed = true;
	}
	return failed ? 1 : 0;
}
