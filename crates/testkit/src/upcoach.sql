-- UpCoach's own tables as its models define them, for tests of UPCOACH_MODE=views: camelCase columns, enum types, amounts as hundredths in
-- every currency.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'upcoach_platform') THEN
        CREATE ROLE upcoach_platform NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- another test made it at the same moment
END
$$;
GRANT CREATE, USAGE ON SCHEMA public TO upcoach_platform;
SET ROLE upcoach_platform;

CREATE TYPE public.enum_users_role AS ENUM ('user', 'admin', 'coach');
CREATE TABLE public.users (
    id              uuid PRIMARY KEY,
    email           varchar(255) NOT NULL UNIQUE,
    password        varchar(255) NOT NULL,
    name            varchar(255) NOT NULL,
    role            public.enum_users_role NOT NULL DEFAULT 'user',
    "isActive"      boolean NOT NULL DEFAULT true,
    "emailVerified" boolean NOT NULL DEFAULT false,
    "createdAt"     timestamptz NOT NULL,
    "updatedAt"     timestamptz NOT NULL
);

CREATE TYPE public.enum_subscriptions_plan AS ENUM ('free', 'basic', 'pro', 'team', 'enterprise');
CREATE TYPE public.enum_subscriptions_status AS ENUM
    ('active', 'past_due', 'canceled', 'incomplete', 'incomplete_expired', 'trialing', 'paused');
CREATE TYPE public."enum_subscriptions_billingInterval" AS ENUM ('monthly', 'quarterly', 'yearly');
CREATE TABLE public.subscriptions (
    id                     uuid PRIMARY KEY,
    "userId"               uuid NOT NULL REFERENCES public.users (id),
    "stripeSubscriptionId" varchar(255) NOT NULL UNIQUE,
    "stripeCustomerId"     varchar(255),
    plan                   public.enum_subscriptions_plan NOT NULL,
    status                 public.enum_subscriptions_status NOT NULL DEFAULT 'incomplete',
    "billingInterval"      public."enum_subscriptions_billingInterval" NOT NULL DEFAULT 'monthly',
    amount                 numeric(10, 2) NOT NULL,
    currency               varchar(3) NOT NULL DEFAULT 'usd',
    "trialStartDate"       timestamptz,
    "trialEndDate"         timestamptz,
    "currentPeriodStart"   timestamptz NOT NULL,
    "currentPeriodEnd"     timestamptz NOT NULL,
    "canceledAt"           timestamptz,
    "cancelReason"         text,
    metadata               jsonb,
    "createdAt"            timestamptz NOT NULL,
    "updatedAt"            timestamptz NOT NULL
);
CREATE INDEX subscriptions_user_id ON public.subscriptions ("userId");

CREATE TYPE public.enum_transactions_type AS ENUM ('payment', 'refund', 'adjustment', 'chargeback', 'payout');
CREATE TYPE public.enum_transactions_status AS ENUM ('pending', 'completed', 'failed', 'refunded', 'partially_refunded');
CREATE TYPE public."enum_transactions_paymentMethod" AS ENUM ('card', 'bank_transfer', 'paypal', 'crypto', 'other');
CREATE TABLE public.transactions (
    id                    uuid PRIMARY KEY,
    "userId"              uuid NOT NULL REFERENCES public.users (id),
    "subscriptionId"      uuid REFERENCES public.subscriptions (id),
    "stripeTransactionId" varchar(255) NOT NULL UNIQUE,
    type                  public.enum_transactions_type NOT NULL,
    status                public.enum_transactions_status NOT NULL,
    amount                numeric(10, 2) NOT NULL,
    currency              varchar(3) NOT NULL DEFAULT 'usd',
    country               varchar(2),
    "paymentMethod"       public."enum_transactions_paymentMethod" NOT NULL,
    description           text,
    metadata              jsonb,
    "stripeInvoiceId"     varchar(255),
    "stripeChargeId"      varchar(255),
    "stripeRefundId"      varchar(255),
    "failureReason"       text,
    "refundedAmount"      numeric(10, 2) DEFAULT 0,
    fee                   numeric(10, 2),
    net                   numeric(10, 2),
    "createdAt"           timestamptz NOT NULL,
    "updatedAt"           timestamptz NOT NULL
);
CREATE INDEX transactions_user_id ON public.transactions ("userId");

RESET ROLE;
