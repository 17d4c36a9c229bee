@x = global [2 x double] zeroinitializer, align 64  ; float64[1, 2]
@y = global [1 x double] zeroinitializer, align 64  ; float64[1, 1]
@lr = global [1 x double] zeroinitializer, align 64  ; float64[]
@result = global [1 x double] zeroinitializer, align 64  ; float64[]
@memory = global ptr null  ; memory of cells
@memory_2 = global ptr null  ; memory of cells

define void @epoch(i64 %count, ptr %x, ptr %y, ptr %result) #0 {
begin:
  %lr_2.at = getelementptr double, ptr @lr, i64 0
  %lr_2 = load double, ptr %lr_2.at
  %memory = load ptr, ptr @memory
  %memory_2 = load ptr, ptr @memory_2
  %weight_0.0.0.at = getelementptr double, ptr %memory, i64 0
  %weight_0.0.0.held = load double, ptr %weight_0.0.0.at
  %weight_0.0.1.at = getelementptr double, ptr %memory, i64 1
  %weight_0.0.1.held = load double, ptr %weight_0.0.1.at
  %weight_0.1.0.at = getelementptr double, ptr %memory, i64 2
  %weight_0.1.0.held = load double, ptr %weight_0.1.0.at
  %weight_0.1.1.at = getelementptr double, ptr %memory, i64 3
  %weight_0.1.1.held = load double, ptr %weight_0.1.1.at
  %weight_0.2.0.at = getelementptr double, ptr %memory, i64 4
  %weight_0.2.0.held = load double, ptr %weight_0.2.0.at
  %weight_0.2.1.at = getelementptr double, ptr %memory, i64 5
  %weight_0.2.1.held = load double, ptr %weight_0.2.1.at
  %weight_0.3.0.at = getelementptr double, ptr %memory, i64 6
  %weight_0.3.0.held = load double, ptr %weight_0.3.0.at
  %weight_0.3.1.at = getelementptr double, ptr %memory, i64 7
  %weight_0.3.1.held = load double, ptr %weight_0.3.1.at
  %weight_0.4.0.at = getelementptr double, ptr %memory, i64 8
  %weight_0.4.0.held = load double, ptr %weight_0.4.0.at
  %weight_0.4.1.at = getelementptr double, ptr %memory, i64 9
  %weight_0.4.1.held = load double, ptr %weight_0.4.1.at
  %bias_0.0.at = getelementptr double, ptr %memory, i64 10
  %bias_0.0.held = load double, ptr %bias_0.0.at
  %bias_0.1.at = getelementptr double, ptr %memory, i64 11
  %bias_0.1.held = load double, ptr %bias_0.1.at
  %bias_0.2.at = getelementptr double, ptr %memory, i64 12
  %bias_0.2.held = load double, ptr %bias_0.2.at
  %bias_0.3.at = getelementptr double, ptr %memory, i64 13
  %bias_0.3.held = load double, ptr %bias_0.3.at
  %bias_0.4.at = getelementptr double, ptr %memory, i64 14
  %bias_0.4.held = load double, ptr %bias_0.4.at
  %weight_2.0.0.at = getelementptr double, ptr %memory, i64 15
  %weight_2.0.0.held = load double, ptr %weight_2.0.0.at
  %weight_2.0.1.at = getelementptr double, ptr %memory, i64 16
  %weight_2.0.1.held = load double, ptr %weight_2.0.1.at
  %weight_2.0.2.at = getelementptr double, ptr %memory, i64 17
  %weight_2.0.2.held = load double, ptr %weight_2.0.2.at
  %weight_2.0.3.at = getelementptr double, ptr %memory, i64 18
  %weight_2.0.3.held = load double, ptr %weight_2.0.3.at
  %weight_2.0.4.at = getelementptr double, ptr %memory, i64 19
  %weight_2.0.4.held = load double, ptr %weight_2.0.4.at
  %bias_2.0.at = getelementptr double, ptr %memory, i64 20
  %bias_2.0.held = load double, ptr %bias_2.0.at
  br label %one

one:  ; step number i
  %i = phi i64 [ 0, %begin ], [ %next, %one ]
  %weight_0.0.0 = phi double [ %weight_0.0.0.held, %begin ], [ %weight_1_0.0.0, %one ]
  %weight_0.0.1 = phi double [ %weight_0.0.1.held, %begin ], [ %weight_1_0.0.1, %one ]
  %weight_0.1.0 = phi double [ %weight_0.1.0.held, %begin ], [ %weight_1_0.1.0, %one ]
  %weight_0.1.1 = phi double [ %weight_0.1.1.held, %begin ], [ %weight_1_0.1.1, %one ]
  %weight_0.2.0 = phi double [ %weight_0.2.0.held, %begin ], [ %weight_1_0.2.0, %one ]
  %weight_0.2.1 = phi double [ %weight_0.2.1.held, %begin ], [ %weight_1_0.2.1, %one ]
  %weight_0.3.0 = phi double [ %weight_0.3.0.held, %begin ], [ %weight_1_0.3.0, %one ]
  %weight_0.3.1 = phi double [ %weight_0.3.1.held, %begin ], [ %weight_1_0.3.1, %one ]
  %weight_0.4.0 = phi double [ %weight_0.4.0.held, %begin ], [ %weight_1_0.4.0, %one ]
  %weight_0.4.1 = phi double [ %weight_0.4.1.held, %begin ], [ %weight_1_0.4.1, %one ]
  %bias_0.0 = phi double [ %bias_0.0.held, %begin ], [ %bias_1_0.0, %one ]
  %bias_0.1 = phi double [ %bias_0.1.held, %begin ], [ %bias_1_0.1, %one ]
  %bias_0.2 = phi double [ %bias_0.2.held, %begin ], [ %bias_1_0.2, %one ]
  %bias_0.3 = phi double [ %bias_0.3.held, %begin ], [ %bias_1_0.3, %one ]
  %bias_0.4 = phi double [ %bias_0.4.held, %begin ], [ %bias_1_0.4, %one ]
  %weight_2.0.0 = phi double [ %weight_2.0.0.held, %begin ], [ %weight_1_2.0.0, %one ]
  %weight_2.0.1 = phi double [ %weight_2.0.1.held, %begin ], [ %weight_1_2.0.1, %one ]
  %weight_2.0.2 = phi double [ %weight_2.0.2.held, %begin ], [ %weight_1_2.0.2, %one ]
  %weight_2.0.3 = phi double [ %weight_2.0.3.held, %begin ], [ %weight_1_2.0.3, %one ]
  %weight_2.0.4 = phi double [ %weight_2.0.4.held, %begin ], [ %weight_1_2.0.4, %one ]
  %bias_2.0 = phi double [ %bias_2.0.held, %begin ], [ %bias_1_2.0, %one ]
  %x.at = mul i64 %i, 2
  %x.here = getelementptr double, ptr %x, i64 %x.at
  %x.0.0.at = getelementptr double, ptr %x.here, i64 0
  %x.0.0 = load double, ptr %x.0.0.at
  %x.0.1.at = getelementptr double, ptr %x.here, i64 1
  %x.0.1 = load double, ptr %x.0.1.at
  %y.at = mul i64 %i, 1
  %y.here = getelementptr double, ptr %y, i64 %y.at
  %y.0.0.at = getelementptr double, ptr %y.here, i64 0
  %y.0.0 = load double, ptr %y.0.0.at

  ; v1 = dot(x, v0)
  ; linear = add(v1, v2)
  %t_2 = call double @llvm.fmuladd.f64(double %x.0.0, double %weight_0.0.0, double %bias_0.0)
  %t_3 = fmul double %x.0.1, %weight_0.0.1
  %linear.0.0 = fadd double %t_2, %t_3
  %t_4 = call double @llvm.fmuladd.f64(double %x.0.0, double %weight_0.1.0, double %bias_0.1)
  %t_5 = fmul double %x.0.1, %weight_0.1.1
  %linear.0.1 = fadd double %t_4, %t_5
  %t_6 = call double @llvm.fmuladd.f64(double %x.0.0, double %weight_0.2.0, double %bias_0.2)
  %t_7 = fmul double %x.0.1, %weight_0.2.1
  %linear.0.2 = fadd double %t_6, %t_7
  %t_8 = call double @llvm.fmuladd.f64(double %x.0.0, double %weight_0.3.0, double %bias_0.3)
  %t_9 = fmul double %x.0.1, %weight_0.3.1
  %linear.0.3 = fadd double %t_8, %t_9
  %t_10 = call double @llvm.fmuladd.f64(double %x.0.0, double %weight_0.4.0, double %bias_0.4)
  %t_11 = fmul double %x.0.1, %weight_0.4.1
  %linear.0.4 = fadd double %t_10, %t_11

  ; v4 = minimum(linear, 709.0)
  %t_12 = fcmp olt double 709.0, %linear.0.0
  %v4.0.0 = select i1 %t_12, double 709.0, double %linear.0.0
  %t_13 = fcmp olt double 709.0, %linear.0.1
  %v4.0.1 = select i1 %t_13, double 709.0, double %linear.0.1
  %t_14 = fcmp olt double 709.0, %linear.0.2
  %v4.0.2 = select i1 %t_14, double 709.0, double %linear.0.2
  %t_15 = fcmp olt double 709.0, %linear.0.3
  %v4.0.3 = select i1 %t_15, double 709.0, double %linear.0.3
  %t_16 = fcmp olt double 709.0, %linear.0.4
  %v4.0.4 = select i1 %t_16, double 709.0, double %linear.0.4

  ; v5 = exp(v4)
  %v5.0.0 = call double @exp.f64(double %v4.0.0)
  %v5.0.1 = call double @exp.f64(double %v4.0.1)
  %v5.0.2 = call double @exp.f64(double %v4.0.2)
  %v5.0.3 = call double @exp.f64(double %v4.0.3)
  %v5.0.4 = call double @exp.f64(double %v4.0.4)

  ; v6 = add(1.0, v5)
  %v6.0.0 = fadd double 1.0, %v5.0.0
  %v6.0.1 = fadd double 1.0, %v5.0.1
  %v6.0.2 = fadd double 1.0, %v5.0.2
  %v6.0.3 = fadd double 1.0, %v5.0.3
  %v6.0.4 = fadd double 1.0, %v5.0.4

  ; sigmoid = div(v5, v6)
  %sigmoid.0.0 = fdiv double %v5.0.0, %v6.0.0
  %sigmoid.0.1 = fdiv double %v5.0.1, %v6.0.1
  %sigmoid.0.2 = fdiv double %v5.0.2, %v6.0.2
  %sigmoid.0.3 = fdiv double %v5.0.3, %v6.0.3
  %sigmoid.0.4 = fdiv double %v5.0.4, %v6.0.4

  ; v9 = dot(sigmoid, v8)
  ; linear_2 = add(v9, v10)
  %t_17 = call double @llvm.fmuladd.f64(double %sigmoid.0.0, double %weight_2.0.0, double %bias_2.0)
  %t_18 = call double @llvm.fmuladd.f64(double %sigmoid.0.2, double %weight_2.0.2, double %t_17)
  %t_19 = call double @llvm.fmuladd.f64(double %sigmoid.0.4, double %weight_2.0.4, double %t_18)
  %t_20 = fmul double %sigmoid.0.1, %weight_2.0.1
  %t_21 = call double @llvm.fmuladd.f64(double %sigmoid.0.3, double %weight_2.0.3, double %t_20)
  %linear_2.0.0 = fadd double %t_19, %t_21

  ; v12 = minimum(linear_2, 709.0)
  %t_22 = fcmp olt double 709.0, %linear_2.0.0
  %v12.0.0 = select i1 %t_22, double 709.0, double %linear_2.0.0

  ; v13 = exp(v12)
  %v13.0.0 = call double @exp.f64(double %v12.0.0)

  ; v14 = add(1.0, v13)
  %v14.0.0 = fadd double 1.0, %v13.0.0

  ; sigmoid_2 = div(v13, v14)
  %sigmoid_2.0.0 = fdiv double %v13.0.0, %v14.0.0

  ; v16 = sub(sigmoid_2, y)
  %v16.0.0 = fsub double %sigmoid_2.0.0, %y.0.0

  ; loss = dot(v17, v17)
  %loss = fmul double %v16.0.0, %v16.0.0

  ; d_sigmoid_2 = mul(2.0, v16)
  %d_sigmoid_2.0.0 = fmul double 2.0, %v16.0.0

  ; v20 = sub(1.0, sigmoid_2)
  %v20.0.0 = fsub double 1.0, %sigmoid_2.0.0

  ; v21 = mul(sigmoid_2, v20)
  %v21.0.0 = fmul double %sigmoid_2.0.0, %v20.0.0

  ; d_linear_2 = mul(d_sigmoid_2, v21)
  %d_linear_2.0.0 = fmul double %d_sigmoid_2.0.0, %v21.0.0

  ; d_sigmoid = dot(d_linear_2, 2.weight)
  %d_sigmoid.0.0 = fmul double %d_linear_2.0.0, %weight_2.0.0
  %d_sigmoid.0.1 = fmul double %d_linear_2.0.0, %weight_2.0.1
  %d_sigmoid.0.2 = fmul double %d_linear_2.0.0, %weight_2.0.2
  %d_sigmoid.0.3 = fmul double %d_linear_2.0.0, %weight_2.0.3
  %d_sigmoid.0.4 = fmul double %d_linear_2.0.0, %weight_2.0.4

  ; d_2.weight = dot(v24, sigmoid)
  %d_weight_2.0.0 = fmul double %d_linear_2.0.0, %sigmoid.0.0
  %d_weight_2.0.1 = fmul double %d_linear_2.0.0, %sigmoid.0.1
  %d_weight_2.0.2 = fmul double %d_linear_2.0.0, %sigmoid.0.2
  %d_weight_2.0.3 = fmul double %d_linear_2.0.0, %sigmoid.0.3
  %d_weight_2.0.4 = fmul double %d_linear_2.0.0, %sigmoid.0.4

  ; v27 = sub(1.0, sigmoid)
  %v27.0.0 = fsub double 1.0, %sigmoid.0.0
  %v27.0.1 = fsub double 1.0, %sigmoid.0.1
  %v27.0.2 = fsub double 1.0, %sigmoid.0.2
  %v27.0.3 = fsub double 1.0, %sigmoid.0.3
  %v27.0.4 = fsub double 1.0, %sigmoid.0.4

  ; v28 = mul(sigmoid, v27)
  %v28.0.0 = fmul double %sigmoid.0.0, %v27.0.0
  %v28.0.1 = fmul double %sigmoid.0.1, %v27.0.1
  %v28.0.2 = fmul double %sigmoid.0.2, %v27.0.2
  %v28.0.3 = fmul double %sigmoid.0.3, %v27.0.3
  %v28.0.4 = fmul double %sigmoid.0.4, %v27.0.4

  ; d_linear = mul(d_sigmoid, v28)
  %d_linear.0.0 = fmul double %d_sigmoid.0.0, %v28.0.0
  %d_linear.0.1 = fmul double %d_sigmoid.0.1, %v28.0.1
  %d_linear.0.2 = fmul double %d_sigmoid.0.2, %v28.0.2
  %d_linear.0.3 = fmul double %d_sigmoid.0.3, %v28.0.3
  %d_linear.0.4 = fmul double %d_sigmoid.0.4, %v28.0.4

  ; d_0.weight = dot(v30, x)
  %d_weight_0.0.0 = fmul double %d_linear.0.0, %x.0.0
  %d_weight_0.0.1 = fmul double %d_linear.0.0, %x.0.1
  %d_weight_0.1.0 = fmul double %d_linear.0.1, %x.0.0
  %d_weight_0.1.1 = fmul double %d_linear.0.1, %x.0.1
  %d_weight_0.2.0 = fmul double %d_linear.0.2, %x.0.0
  %d_weight_0.2.1 = fmul double %d_linear.0.2, %x.0.1
  %d_weight_0.3.0 = fmul double %d_linear.0.3, %x.0.0
  %d_weight_0.3.1 = fmul double %d_linear.0.3, %x.0.1
  %d_weight_0.4.0 = fmul double %d_linear.0.4, %x.0.0
  %d_weight_0.4.1 = fmul double %d_linear.0.4, %x.0.1

  ; v33 = mul(lr, d_0.weight)
  %v33.0.0 = fmul double %lr_2, %d_weight_0.0.0
  %v33.0.1 = fmul double %lr_2, %d_weight_0.0.1
  %v33.1.0 = fmul double %lr_2, %d_weight_0.1.0
  %v33.1.1 = fmul double %lr_2, %d_weight_0.1.1
  %v33.2.0 = fmul double %lr_2, %d_weight_0.2.0
  %v33.2.1 = fmul double %lr_2, %d_weight_0.2.1
  %v33.3.0 = fmul double %lr_2, %d_weight_0.3.0
  %v33.3.1 = fmul double %lr_2, %d_weight_0.3.1
  %v33.4.0 = fmul double %lr_2, %d_weight_0.4.0
  %v33.4.1 = fmul double %lr_2, %d_weight_0.4.1

  ; 0.weight'1 = sub(0.weight, v33)
  %weight_1_0.0.0 = fsub double %weight_0.0.0, %v33.0.0
  %weight_1_0.0.1 = fsub double %weight_0.0.1, %v33.0.1
  %weight_1_0.1.0 = fsub double %weight_0.1.0, %v33.1.0
  %weight_1_0.1.1 = fsub double %weight_0.1.1, %v33.1.1
  %weight_1_0.2.0 = fsub double %weight_0.2.0, %v33.2.0
  %weight_1_0.2.1 = fsub double %weight_0.2.1, %v33.2.1
  %weight_1_0.3.0 = fsub double %weight_0.3.0, %v33.3.0
  %weight_1_0.3.1 = fsub double %weight_0.3.1, %v33.3.1
  %weight_1_0.4.0 = fsub double %weight_0.4.0, %v33.4.0
  %weight_1_0.4.1 = fsub double %weight_0.4.1, %v33.4.1

  ; v35 = mul(lr, d_0.bias)
  %v35.0 = fmul double %lr_2, %d_linear.0.0
  %v35.1 = fmul double %lr_2, %d_linear.0.1
  %v35.2 = fmul double %lr_2, %d_linear.0.2
  %v35.3 = fmul double %lr_2, %d_linear.0.3
  %v35.4 = fmul double %lr_2, %d_linear.0.4

  ; 0.bias'1 = sub(0.bias, v35)
  %bias_1_0.0 = fsub double %bias_0.0, %v35.0
  %bias_1_0.1 = fsub double %bias_0.1, %v35.1
  %bias_1_0.2 = fsub double %bias_0.2, %v35.2
  %bias_1_0.3 = fsub double %bias_0.3, %v35.3
  %bias_1_0.4 = fsub double %bias_0.4, %v35.4

  ; v37 = mul(lr, d_2.weight)
  %v37.0.0 = fmul double %lr_2, %d_weight_2.0.0
  %v37.0.1 = fmul double %lr_2, %d_weight_2.0.1
  %v37.0.2 = fmul double %lr_2, %d_weight_2.0.2
  %v37.0.3 = fmul double %lr_2, %d_weight_2.0.3
  %v37.0.4 = fmul double %lr_2, %d_weight_2.0.4

  ; 2.weight'1 = sub(2.weight, v37)
  %weight_1_2.0.0 = fsub double %weight_2.0.0, %v37.0.0
  %weight_1_2.0.1 = fsub double %weight_2.0.1, %v37.0.1
  %weight_1_2.0.2 = fsub double %weight_2.0.2, %v37.0.2
  %weight_1_2.0.3 = fsub double %weight_2.0.3, %v37.0.3
  %weight_1_2.0.4 = fsub double %weight_2.0.4, %v37.0.4

  ; v39 = mul(lr, d_2.bias)
  %v39.0 = fmul double %lr_2, %d_linear_2.0.0

  ; 2.bias'1 = sub(2.bias, v39)
  %bias_1_2.0 = fsub double %bias_2.0, %v39.0

  ; results
  %result.at = mul i64 %i, 1
  %result.here = getelementptr double, ptr %result, i64 %result.at
  %result.here.to.0 = getelementptr double, ptr %result.here, i64 0
  store double %loss, ptr %result.here.to.0
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, %count
  br i1 %more, label %one, label %end

end:
  %memory.to.0 = getelementptr double, ptr %memory, i64 0
  store double %weight_1_0.0.0, ptr %memory.to.0
  %memory.to.1 = getelementptr double, ptr %memory, i64 1
  store double %weight_1_0.0.1, ptr %memory.to.1
  %memory.to.2 = getelementptr double, ptr %memory, i64 2
  store double %weight_1_0.1.0, ptr %memory.to.2
  %memory.to.3 = getelementptr double, ptr %memory, i64 3
  store double %weight_1_0.1.1, ptr %memory.to.3
  %memory.to.4 = getelementptr double, ptr %memory, i64 4
  store double %weight_1_0.2.0, ptr %memory.to.4
  %memory.to.5 = getelementptr double, ptr %memory, i64 5
  store double %weight_1_0.2.1, ptr %memory.to.5
  %memory.to.6 = getelementptr double, ptr %memory, i64 6
  store double %weight_1_0.3.0, ptr %memory.to.6
  %memory.to.7 = getelementptr double, ptr %memory, i64 7
  store double %weight_1_0.3.1, ptr %memory.to.7
  %memory.to.8 = getelementptr double, ptr %memory, i64 8
  store double %weight_1_0.4.0, ptr %memory.to.8
  %memory.to.9 = getelementptr double, ptr %memory, i64 9
  store double %weight_1_0.4.1, ptr %memory.to.9
  %memory.to.10 = getelementptr double, ptr %memory, i64 10
  store double %bias_1_0.0, ptr %memory.to.10
  %memory.to.11 = getelementptr double, ptr %memory, i64 11
  store double %bias_1_0.1, ptr %memory.to.11
  %memory.to.12 = getelementptr double, ptr %memory, i64 12
  store double %bias_1_0.2, ptr %memory.to.12
  %memory.to.13 = getelementptr double, ptr %memory, i64 13
  store double %bias_1_0.3, ptr %memory.to.13
  %memory.to.14 = getelementptr double, ptr %memory, i64 14
  store double %bias_1_0.4, ptr %memory.to.14
  %memory.to.15 = getelementptr double, ptr %memory, i64 15
  store double %weight_1_2.0.0, ptr %memory.to.15
  %memory.to.16 = getelementptr double, ptr %memory, i64 16
  store double %weight_1_2.0.1, ptr %memory.to.16
  %memory.to.17 = getelementptr double, ptr %memory, i64 17
  store double %weight_1_2.0.2, ptr %memory.to.17
  %memory.to.18 = getelementptr double, ptr %memory, i64 18
  store double %weight_1_2.0.3, ptr %memory.to.18
  %memory.to.19 = getelementptr double, ptr %memory, i64 19
  store double %weight_1_2.0.4, ptr %memory.to.19
  %memory.to.20 = getelementptr double, ptr %memory, i64 20
  store double %bias_1_2.0, ptr %memory.to.20
  %memory_2.to.0 = getelementptr double, ptr %memory_2, i64 0
  store double %d_weight_0.0.0, ptr %memory_2.to.0
  %memory_2.to.1 = getelementptr double, ptr %memory_2, i64 1
  store double %d_weight_0.0.1, ptr %memory_2.to.1
  %memory_2.to.2 = getelementptr double, ptr %memory_2, i64 2
  store double %d_weight_0.1.0, ptr %memory_2.to.2
  %memory_2.to.3 = getelementptr double, ptr %memory_2, i64 3
  store double %d_weight_0.1.1, ptr %memory_2.to.3
  %memory_2.to.4 = getelementptr double, ptr %memory_2, i64 4
  store double %d_weight_0.2.0, ptr %memory_2.to.4
  %memory_2.to.5 = getelementptr double, ptr %memory_2, i64 5
  store double %d_weight_0.2.1, ptr %memory_2.to.5
  %memory_2.to.6 = getelementptr double, ptr %memory_2, i64 6
  store double %d_weight_0.3.0, ptr %memory_2.to.6
  %memory_2.to.7 = getelementptr double, ptr %memory_2, i64 7
  store double %d_weight_0.3.1, ptr %memory_2.to.7
  %memory_2.to.8 = getelementptr double, ptr %memory_2, i64 8
  store double %d_weight_0.4.0, ptr %memory_2.to.8
  %memory_2.to.9 = getelementptr double, ptr %memory_2, i64 9
  store double %d_weight_0.4.1, ptr %memory_2.to.9
  %memory_2.to.10 = getelementptr double, ptr %memory_2, i64 10
  store double %d_linear.0.0, ptr %memory_2.to.10
  %memory_2.to.11 = getelementptr double, ptr %memory_2, i64 11
  store double %d_linear.0.1, ptr %memory_2.to.11
  %memory_2.to.12 = getelementptr double, ptr %memory_2, i64 12
  store double %d_linear.0.2, ptr %memory_2.to.12
  %memory_2.to.13 = getelementptr double, ptr %memory_2, i64 13
  store double %d_linear.0.3, ptr %memory_2.to.13
  %memory_2.to.14 = getelementptr double, ptr %memory_2, i64 14
  store double %d_linear.0.4, ptr %memory_2.to.14
  %memory_2.to.15 = getelementptr double, ptr %memory_2, i64 15
  store double %d_weight_2.0.0, ptr %memory_2.to.15
  %memory_2.to.16 = getelementptr double, ptr %memory_2, i64 16
  store double %d_weight_2.0.1, ptr %memory_2.to.16
  %memory_2.to.17 = getelementptr double, ptr %memory_2, i64 17
  store double %d_weight_2.0.2, ptr %memory_2.to.17
  %memory_2.to.18 = getelementptr double, ptr %memory_2, i64 18
  store double %d_weight_2.0.3, ptr %memory_2.to.18
  %memory_2.to.19 = getelementptr double, ptr %memory_2, i64 19
  store double %d_weight_2.0.4, ptr %memory_2.to.19
  %memory_2.to.20 = getelementptr double, ptr %memory_2, i64 20
  store double %d_linear_2.0.0, ptr %memory_2.to.20
  ret void
}

define void @step() #0 {
  call void @epoch(i64 1, ptr @x, ptr @y, ptr @result)
  ret void
}

define internal double @exp.f64(double %x) alwaysinline #0 {
  %t = call double @llvm.fmuladd.f64(double %x, double 1.4426950408889634, double 6755399441055744.0)
  %t_2 = fsub double %t, 6755399441055744.0
  %t_3 = call double @llvm.fmuladd.f64(double %t_2, double -0.6931471803691238, double %x)
  %t_4 = call double @llvm.fmuladd.f64(double %t_2, double -1.9082149292705877e-10, double %t_3)
  %t_5 = bitcast double %t to i64
  %t_6 = sub i64 %t_5, 4843621399236968448
  %t_7 = ashr i64 %t_6, 1
  %t_8 = sub i64 %t_6, %t_7
  %t_9 = add i64 %t_7, 1023
  %t_10 = shl i64 %t_9, 52
  %t_11 = bitcast i64 %t_10 to double
  %t_12 = add i64 %t_8, 1023
  %t_13 = shl i64 %t_12, 52
  %t_14 = bitcast i64 %t_13 to double
  %t_15 = fmul double %t_4, %t_4
  %t_16 = call double @llvm.fmuladd.f64(double %t_4, double 0.16666666666666669, double 0.5)
  %t_17 = fadd double %t_4, 1.0
  %t_18 = call double @llvm.fmuladd.f64(double %t_16, double %t_15, double %t_17)
  %t_19 = call double @llvm.fmuladd.f64(double 0.008333333333330011, double %t_4, double 0.04166666666662348)
  %t_20 = call double @llvm.fmuladd.f64(double 0.00019841269863303223, double %t_4, double 0.0013888888917538296)
  %t_21 = call double @llvm.fmuladd.f64(double 2.75572680728901e-06, double %t_4, double 2.4801520792572694e-05)
  %t_22 = call double @llvm.fmuladd.f64(double 2.5100569275813683e-08, double %t_4, double 2.762032742826824e-07)
  %t_23 = call double @llvm.fmuladd.f64(double %t_20, double %t_15, double %t_19)
  %t_24 = call double @llvm.fmuladd.f64(double %t_22, double %t_15, double %t_21)
  %t_25 = fmul double %t_15, %t_15
  %t_26 = call double @llvm.fmuladd.f64(double %t_24, double %t_25, double %t_23)
  %t_27 = fmul double %t_25, %t_11
  %t_28 = fmul double %t_18, %t_11
  %t_29 = call double @llvm.fmuladd.f64(double %t_26, double %t_27, double %t_28)
  %t_30 = fcmp ogt double %x, 710.0
  %t_31 = fmul double %t_29, %t_14
  %t_32 = select i1 %t_30, double 0x7FF0000000000000, double %t_31
  %t_33 = fcmp olt double %x, -746.0
  %t_34 = select i1 %t_33, double 0.0, double %t_32
  ret double %t_34
}

declare double @llvm.fmuladd.f64(double, double, double)

attributes #0 = { nounwind "no-trapping-math"="true" "prefer-vector-width"="512" }
