/*-------------------------------------------------------------------------
 *
 * model.h
 *		The type segment.model: a customer model as one small value.
 *
 * A model is what a fit returns and what the predictions take: its kind, its
 * parameters with their covariance, how well it fitted, on how much data, in
 * which time unit, and with which status and warnings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEGMENT_MODEL_H
#define SEGMENT_MODEL_H

#include "fmgr.h"

#include "models/model_kind.h"

/* The kinds, by the number they have on disk; see model_kind.h. */
typedef enum ModelKindId
{
	MODEL_BGNBD = 0,
	MODEL_MBGNBD,
	MODEL_PNBD,
	MODEL_BGBB,
	MODEL_GAMMAGAMMA,
} ModelKindId;

#define MODEL_NKINDS		5

/* How the parameters came about, by the number it has on disk. */
typedef enum ModelStatus
{
	MODEL_GIVEN = 0,			/* typed in, not fitted */
	MODEL_CONVERGED,			/* an inner maximum of the likelihood */
	MODEL_BOUNDARY,				/* the likelihood is highest at a limit of the
								 * model; some parameters are held there */
	MODEL_FLAT,					/* the data do not determine the parameters */
	MODEL_TOO_FEW,				/* hardly any data: do not use */
	MODEL_NOT_CONVERGED,		/* the best parameters found, not a maximum */
} ModelStatus;

#define MODEL_NSTATUSES		6

/* Warnings, as bits. */
#define MODEL_WARN_FEW_REPEAT_BUYERS	(1 << 0)
#define MODEL_WARN_NO_REPEAT_BUYERS		(1 << 1)
#define MODEL_WARN_NO_DROPOUT			(1 << 2)
#define MODEL_WARN_FULL_DROPOUT			(1 << 3)
#define MODEL_WARN_EQUAL_DROPOUT		(1 << 4)
#define MODEL_WARN_EQUAL_RATES			(1 << 5)
#define MODEL_WARN_HELD_PARAMETER		(1 << 6)
#define MODEL_WARN_FLAT_LIKELIHOOD		(1 << 7)
#define MODEL_WARN_UNDEFINED_MEAN		(1 << 8)
#define MODEL_WARN_SPEND_CORRELATED		(1 << 9)
#define MODEL_WARN_NO_SPEND_IGNORED		(1 << 10)
#define MODEL_WARN_NOT_CONVERGED		(1 << 11)

#define MODEL_NWARNINGS		12

/* Flags.  Bits 8 to 11 say which parameters are held at a limit. */
#define MODEL_HAS_LOGLIK		(1 << 0)
#define MODEL_HAS_COVARIANCE	(1 << 1)
#define MODEL_HELD(i)			(1 << (8 + (i)))
#define MODEL_HELD_MASK			0x0F00

#define MODEL_VERSION		1

/*
 * The value, in memory and on disk.  Every field sits at a multiple of its
 * own size, so there is no padding, and equal models have equal bytes.
 *
 * values[] holds the parameters and then the lower triangle of their
 * covariance matrix, row by row; the triangle is all zeros without
 * MODEL_HAS_COVARIANCE, and so are the rows and columns of held parameters.
 */
typedef struct Model
{
	int32		vl_len_;		/* varlena header */
	uint8		version;		/* MODEL_VERSION */
	uint8		kind;			/* ModelKindId */
	uint8		unit;			/* TimeUnit */
	uint8		status;			/* ModelStatus */
	uint32		warnings;		/* MODEL_WARN_* */
	uint32		flags;			/* MODEL_HAS_*, MODEL_HELD */
	int64		rows;			/* input rows used by the fit */
	float8		customers;		/* sum of their weights */
	float8		loglik;			/* log-likelihood of the data in its own unit,
								 * 0 without MODEL_HAS_LOGLIK */
	float8		values[FLEXIBLE_ARRAY_MEMBER];
} Model;

#define MODEL_TRIANGLE(n)	((n) * ((n) + 1) / 2)

/* Place of covariance (i, j), i >= j, in values[] of a model of n parameters */
#define MODEL_COVARIANCE_AT(n, i, j)	((n) + (i) * ((i) + 1) / 2 + (j))

/* By ModelKindId */
extern const ModelKind *const model_kinds[MODEL_NKINDS];

/* Parameters outside of this range are not accepted. */
#define MODEL_PARAM_MIN		1e-40
#define MODEL_PARAM_MAX		1e+40

/* Their names, by ModelStatus and by the number of the bit */
extern const char *const model_statuses[MODEL_NSTATUSES];
extern const char *const model_warning_names[MODEL_NWARNINGS];

extern Model *model_create(ModelKindId kind);
extern int	model_kind_by_name(const char *name);
extern int	model_param_by_name(const Model *model, const char *name);
extern double model_covariance_at(const Model *model, int i, int j);
extern const char *model_complaint(const Model *model);
extern const Model *model_checked(struct varlena *stored);

#define PG_GETARG_MODEL_P(n) \
	model_checked((struct varlena *) PG_DETOAST_DATUM(PG_GETARG_DATUM(n)))
#define PG_RETURN_MODEL_P(m)	PG_RETURN_POINTER(m)

#endif							/* SEGMENT_MODEL_H */
